# SPDX-License-Identifier: GPL-2.0-or-later
"""What a link says of itself, and what keeps it."""

import ctypes
from pathlib import Path

from reclaimd.kernel import libbpf
from reclaimd.kernel.ids import link_ids
from reclaimd.kernel.link import BPF_F_ALLOW_OVERRIDE, Link
from reclaimd.kernel.pin import unpin
from tests.kernel.cgroups import ROOT, Cgroup, until
from tests.kernel.hooks import Hooks

PIN = Path("/sys/fs/bpf/reclaimd-test-link")


def test_info_has_the_cgroups_id(hooks: Hooks, cgroup: Cgroup) -> None:
    with hooks.attached("first", cgroup, BPF_F_ALLOW_OVERRIDE) as link:
        info = link.info()
        assert info.cgroup_id == cgroup.cgroup_id
        assert info.map_id == hooks.object.map("first").info().id
        assert info.link_id in link_ids()


def test_info_has_the_root_cgroups_id(hooks: Hooks) -> None:
    root = Cgroup(ROOT)
    with hooks.attached("first", root) as link:
        assert link.info().cgroup_id == root.cgroup_id


def test_info_of_each_link_of_one_map_has_its_own_cgroups_id(hooks: Hooks, cgroup: Cgroup) -> None:
    one, other = cgroup.child("one"), cgroup.child("other")
    with hooks.attached("first", one) as link, hooks.attached("first", other) as other_link:
        assert (link.info().cgroup_id, other_link.info().cgroup_id) == (one.cgroup_id, other.cgroup_id)


def test_info_serves_programs_that_do_not_know_of_the_cgroup(hooks: Hooks, cgroup: Cgroup) -> None:
    class OlderInfo(ctypes.Structure):
        """struct bpf_link_info up to map_id."""

        _fields_ = (("head", ctypes.c_uint32 * 4), ("map_id", ctypes.c_uint32), ("beyond", ctypes.c_uint32))

    with hooks.attached("first", cgroup) as link:
        info = OlderInfo(beyond=0)
        libbpf.bpf_obj_get_info_by_fd(link.fileno(), info, ctypes.c_uint32(ctypes.sizeof(info)))
        assert info.map_id == hooks.object.map("first").info().id
        assert info.beyond == 0


def test_fdinfo_has_the_cgroups_id(hooks: Hooks, cgroup: Cgroup) -> None:
    with hooks.attached("first", cgroup) as link:
        fdinfo = link.fdinfo()
        assert fdinfo["cgroup_id"] == str(cgroup.cgroup_id)
        assert fdinfo["map_id"] == str(hooks.object.map("first").info().id)


def test_fdinfo_has_the_root_cgroups_id(hooks: Hooks) -> None:
    root = Cgroup(ROOT)
    with hooks.attached("first", root) as link:
        assert link.fdinfo()["cgroup_id"] == str(root.cgroup_id)


def test_pin_keeps_the_attachment_without_a_descriptor(hooks: Hooks, cgroup: Cgroup) -> None:
    with hooks.attached("first", cgroup) as link:
        link.pin(PIN)
    try:
        assert hooks.ops_of(cgroup) == "first"
        with Link.open_pin(PIN) as again:
            assert again.info().cgroup_id == cgroup.cgroup_id
    finally:
        assert unpin(PIN)
    assert not unpin(PIN)
    for _ in until():
        if hooks.ops_of(cgroup) is None:
            break
