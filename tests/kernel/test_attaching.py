# SPDX-License-Identifier: GPL-2.0-or-later
"""BPF_LINK_CREATE: what may be attached where."""

import errno
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from reclaimd.kernel.link import (
    BPF_F_ALLOW_OVERRIDE,
    BPF_F_CGROUP_FD,
    create_link,
    fill_struct_ops,
)
from reclaimd.kernel.object import BpfObject, BpfObjectError
from tests.kernel.cgroups import PATIENCE_S, Cgroup
from tests.kernel.hooks import Hooks
from tests.kernel.objects import loaded, object_path

PATIENCE_MS = int(PATIENCE_S * 1000)
OTHER_BITS = [bit for bit in range(32) if 1 << bit not in {BPF_F_ALLOW_OVERRIDE, BPF_F_CGROUP_FD}]


@contextmanager
def refused(*errors: int) -> Iterator[None]:
    with pytest.raises(OSError, match="bpf_link_create") as caught:
        yield
    assert caught.value.errno in errors, errno.errorcode[caught.value.errno or 0]


def ready_map_fd(hooks: Hooks, ops: str = "first") -> int:
    struct_ops = hooks.object.map(ops)
    fill_struct_ops(struct_ops)
    return struct_ops.fileno()


@pytest.mark.parametrize("flags", [0, BPF_F_ALLOW_OVERRIDE])
def test_link_without_a_cgroup_is_invalid(hooks: Hooks, cgroup: Cgroup, flags: int) -> None:
    with cgroup.opened() as fd, refused(errno.EINVAL):
        create_link(ready_map_fd(hooks), fd, flags)
    with refused(errno.EINVAL):
        create_link(ready_map_fd(hooks), 0, flags)


@pytest.mark.parametrize("bit", OTHER_BITS)
def test_other_flags_are_invalid(hooks: Hooks, cgroup: Cgroup, bit: int) -> None:
    with cgroup.opened() as fd, refused(errno.EINVAL):
        create_link(ready_map_fd(hooks), fd, BPF_F_CGROUP_FD | 1 << bit)


@pytest.mark.parametrize("path", ["/dev/null", "/", "/sys/fs/cgroup/cgroup.procs", "/sys/fs/bpf"])
def test_what_is_no_cgroup_directory_is_refused(hooks: Hooks, path: str) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        with refused(errno.EBADF, errno.EINVAL):
            create_link(ready_map_fd(hooks), fd, BPF_F_CGROUP_FD)
    finally:
        os.close(fd)


def test_what_is_no_descriptor_is_refused(hooks: Hooks) -> None:
    with refused(errno.EBADF):
        create_link(ready_map_fd(hooks), 1 << 20, BPF_F_CGROUP_FD)


def test_cgroup_of_the_old_hierarchy_is_refused(hooks: Hooks, tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "cgroup", "-o", "none,name=reclaimd-test", "none", tmp_path], check=True)
    try:
        old = Cgroup.make(tmp_path / "old")
        with old.opened() as fd, refused(errno.EBADF, errno.EINVAL, errno.EOPNOTSUPP):
            create_link(ready_map_fd(hooks), fd, BPF_F_CGROUP_FD)
        old.path.rmdir()
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_cgroup_without_the_memory_controller_is_refused(hooks: Hooks, cgroup: Cgroup) -> None:
    bare = Cgroup.make(cgroup.path / "bare")
    with bare.opened() as fd, refused(errno.EINVAL, errno.EOPNOTSUPP, errno.ENODEV, errno.ENOENT):
        create_link(ready_map_fd(hooks), fd, BPF_F_CGROUP_FD)
    assert hooks.ops_of(cgroup) is None


def test_map_whose_value_is_not_filled_in_is_invalid(cgroup: Cgroup) -> None:
    with loaded("hooks") as obj, cgroup.opened() as fd, refused(errno.EINVAL):
        create_link(obj.map("first").fileno(), fd, BPF_F_CGROUP_FD)


def test_registration_without_a_link_is_not_supported() -> None:
    with loaded("unlinked") as obj:
        with pytest.raises(OSError, match="bpf_map__attach_struct_ops") as caught:
            fill_struct_ops(obj.map("unlinked"))
        assert caught.value.errno == errno.EOPNOTSUPP


@pytest.mark.parametrize("name", ["sleepable_hook", "reclaiming_hook", "writing_hook"])
def test_hook_that_the_charge_path_could_not_bear_is_not_loaded(name: str) -> None:
    with BpfObject.open(object_path(name)) as obj, pytest.raises(BpfObjectError):
        obj.load()


def test_second_attachment_to_a_cgroup_is_busy(hooks: Hooks, cgroup: Cgroup) -> None:
    with hooks.attached("first", cgroup):
        for ops in ("first", "second"):
            for flags in (0, BPF_F_ALLOW_OVERRIDE):
                with refused(errno.EBUSY):
                    hooks.attach(ops, cgroup, flags)
        assert hooks.ops_of(cgroup) == "first"


def test_allow_override_is_for_descendants_and_not_for_the_cgroup_itself(
    hooks: Hooks, cgroup: Cgroup
) -> None:
    with hooks.attached("first", cgroup, BPF_F_ALLOW_OVERRIDE), refused(errno.EBUSY):
        hooks.attach("second", cgroup)


def test_attaching_over_inherited_ops_is_busy(hooks: Hooks, cgroup: Cgroup) -> None:
    child = cgroup.child("child")
    grandchild = child.child("grandchild")
    with hooks.attached("first", cgroup):
        for ops in ("first", "second"):
            for below in (child, grandchild):
                with refused(errno.EBUSY):
                    hooks.attach(ops, below)
        assert hooks.ops_of(grandchild) == "first"


def test_attaching_over_inherited_ops_is_allowed_by_allow_override(hooks: Hooks, cgroup: Cgroup) -> None:
    overriding = cgroup.child("overriding")
    inheriting = cgroup.child("inheriting")
    with (
        hooks.attached("first", cgroup, BPF_F_ALLOW_OVERRIDE),
        hooks.attached("second", overriding),
    ):
        assert hooks.ops_of(overriding) == "second"
        assert hooks.ops_of(inheriting) == "first"


def test_attaching_above_a_different_attachment_is_busy(hooks: Hooks, cgroup: Cgroup) -> None:
    child = cgroup.child("child")
    grandchild = child.child("grandchild")
    with hooks.attached("second", grandchild):
        for flags in (0, BPF_F_ALLOW_OVERRIDE):
            with refused(errno.EBUSY):
                hooks.attach("first", cgroup, flags)
        sibling = cgroup.child("sibling")
        assert hooks.ops_of(sibling) is None
        assert hooks.ops_of(grandchild) == "second"


def test_an_attachment_whose_cgroup_has_been_removed_is_in_nobodys_way(hooks: Hooks, cgroup: Cgroup) -> None:
    sibling = cgroup.child("sibling")
    for _ in range(10):
        child = cgroup.child("child")
        with hooks.attached("second", child) as below:
            child.remove()
            with hooks.attached("first", cgroup):
                assert below.wait_detached(PATIENCE_MS)
                assert hooks.ops_of(sibling) == "first"


def test_three_levels_the_middle_one_without_override(hooks: Hooks, cgroup: Cgroup) -> None:
    middle = cgroup.child("middle")
    lowest = middle.child("lowest")
    with (
        hooks.attached("first", cgroup, BPF_F_ALLOW_OVERRIDE),
        hooks.attached("second", middle),
    ):
        with refused(errno.EBUSY):
            hooks.attach("third", lowest)
        assert hooks.ops_of(lowest) == "second"


def test_three_levels_the_middle_one_with_override(hooks: Hooks, cgroup: Cgroup) -> None:
    middle = cgroup.child("middle")
    lowest = middle.child("lowest")
    with (
        hooks.attached("first", cgroup, BPF_F_ALLOW_OVERRIDE),
        hooks.attached("second", middle, BPF_F_ALLOW_OVERRIDE),
        hooks.attached("third", lowest),
    ):
        assert hooks.ops_of(lowest) == "third"


def test_refusal_leaves_nothing_attached(hooks: Hooks, cgroup: Cgroup) -> None:
    child = cgroup.child("child")
    with hooks.attached("second", child), refused(errno.EBUSY):
        hooks.attach("first", cgroup)
    with hooks.attached("first", cgroup):
        assert hooks.ops_of(child) == "first"
    assert hooks.ops_of(child) is None


def test_attachments_to_siblings_are_independent(hooks: Hooks, cgroup: Cgroup) -> None:
    one, other = cgroup.child("one"), cgroup.child("other")
    with hooks.attached("first", one), hooks.attached("second", other):
        assert (hooks.ops_of(one), hooks.ops_of(other)) == ("first", "second")


def test_one_map_may_be_attached_to_many_cgroups(hooks: Hooks, cgroup: Cgroup) -> None:
    children = [cgroup.child(f"child{number}") for number in range(4)]
    with ExitStack() as stack:
        links = [stack.enter_context(hooks.attached("first", child)) for child in children]
        links[0].detach()
        assert [hooks.ops_of(child) for child in children] == [None, "first", "first", "first"]


def test_link_creation_without_a_free_descriptor_leaves_nothing_attached(
    hooks: Hooks, cgroup: Cgroup
) -> None:
    map_fd = ready_map_fd(hooks)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with cgroup.opened() as fd:
        next_fd = os.dup(fd)
        os.close(next_fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (next_fd, hard))
        try:
            with refused(errno.EMFILE):
                create_link(map_fd, fd, BPF_F_CGROUP_FD)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert hooks.ops_of(cgroup) is None
        with create_link(map_fd, fd, BPF_F_CGROUP_FD):
            assert hooks.ops_of(cgroup) == "first"
