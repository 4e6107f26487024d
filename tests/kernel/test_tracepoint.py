# SPDX-License-Identifier: GPL-2.0-or-later
"""The tracepoint memcg:count_memcg_events."""

import ctypes

from tests.kernel.cgroups import Cgroup, Charger
from tests.kernel.objects import loaded


def test_page_faults_of_a_cgroup_can_be_counted(cgroup: Cgroup) -> None:
    with loaded("faults") as obj, Charger(cgroup) as charger, obj.program("count_faults").attach():
        obj.variable("watched_cgroup_id", ctypes.c_uint64).value = cgroup.cgroup_id
        charger.anon(512)
        assert obj.variable("faults", ctypes.c_uint64).value >= 512
