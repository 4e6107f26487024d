# SPDX-License-Identifier: GPL-2.0-or-later
"""bpf_cgroup_flush_psi."""

import ctypes
import errno
from collections.abc import Iterator

import pytest

from reclaimd.kernel.object import BpfObject
from tests.kernel.cgroups import Cgroup, Charger
from tests.kernel.objects import loaded

HIGH_PAGES = 256
NS_PER_US = 1000


class PressureArgs(ctypes.Structure):
    """Mirrors struct pressure_args."""

    _fields_ = (
        ("cgroup_id", ctypes.c_uint64),
        ("flushed_ns", ctypes.c_uint64),
    )


@pytest.fixture
def programs(nothing_stays: None) -> Iterator[BpfObject]:  # noqa: ARG001  to be outlived by it
    with loaded("pressure") as obj:
        yield obj


def some_us(cgroup: Cgroup) -> int:
    """What the kernel tells user space of the cgroup's pressure."""
    some = cgroup.read("memory.pressure").splitlines()[0]
    return int(some.rpartition("total=")[2])


def test_totals_are_those_of_the_pressure_file(programs: BpfObject, cgroup: Cgroup) -> None:
    cgroup.write("memory.swap.max", "0")
    cgroup.write("memory.high", str(HIGH_PAGES * 4096))
    with Charger(cgroup) as charger:
        some_us(cgroup)
        charger.anon(2 * HIGH_PAGES)
        args = PressureArgs(cgroup.cgroup_id)
        assert programs.program("pressure").run(args) == 0
    assert some_us(cgroup) == args.flushed_ns // NS_PER_US


def test_a_cgroup_that_is_gone_is_not_found(programs: BpfObject, cgroup: Cgroup) -> None:
    child = cgroup.child("child")
    args = PressureArgs(child.cgroup_id)
    child.remove()
    assert programs.program("pressure").run(args) == -errno.ENOENT
