# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes to limits are noticed, whatever becomes of the cgroups meanwhile."""

import select
from collections.abc import Iterator

import pytest

from reclaimd.service.limits import LimitWatch
from tests.unit.fake_cgroupfs import FakeCgroupfs
from tests.unit.service.running import MIB, add_parent, appear, set_max


@pytest.fixture
def watch(cgroupfs: FakeCgroupfs) -> Iterator[LimitWatch]:
    """A watch on a tree with /batch, and /batch/a and /batch/b of 32 MiB in it."""
    add_parent(cgroupfs, "/batch")
    cgroupfs.add("/batch/a", max_bytes=32 * MIB)
    cgroupfs.add("/batch/b", max_bytes=32 * MIB)
    with LimitWatch(cgroupfs.root) as watch:
        yield watch


def is_readable(watch: LimitWatch) -> bool:
    """Tell whether the watch's fd is readable now."""
    poll = select.poll()
    poll.register(watch, select.POLLIN)
    return bool(poll.poll(0))


def test_a_write_to_memory_max_is_told_once(watch: LimitWatch, cgroupfs: FakeCgroupfs) -> None:
    watch.follow("/batch/a")
    assert not is_readable(watch)
    set_max(cgroupfs, "/batch/a", 64 * MIB)
    assert is_readable(watch)
    assert watch.read() == {"/batch/a"}
    assert not watch.read()


def test_a_cgroup_that_is_not_followed_is_not_told_of(watch: LimitWatch, cgroupfs: FakeCgroupfs) -> None:
    watch.follow("/batch/a")
    set_max(cgroupfs, "/batch/b", 64 * MIB)
    assert not watch.read()


def test_a_cgroup_that_is_no_longer_followed_is_not_told_of(
    watch: LimitWatch, cgroupfs: FakeCgroupfs
) -> None:
    watch.follow("/batch/b")
    watch.forget("/batch/b")
    set_max(cgroupfs, "/batch/b", 64 * MIB)
    assert not watch.read()


def test_a_cgroup_that_took_over_a_path_is_followed(watch: LimitWatch, cgroupfs: FakeCgroupfs) -> None:
    watch.follow("/batch/a")
    cgroupfs.remove("/batch/a")
    cgroupfs.add("/batch/a", max_bytes=32 * MIB)
    watch.follow("/batch/a")
    watch.read()
    set_max(cgroupfs, "/batch/a", 64 * MIB)
    assert watch.read()


def test_a_memory_controller_that_is_given_later_is_told(watch: LimitWatch, cgroupfs: FakeCgroupfs) -> None:
    watch.follow("/batch/a")
    watch.follow("/batch/c")
    appear(cgroupfs, "/batch/c", max_bytes=32 * MIB)
    assert "/batch/c" in watch.read()


def test_a_cgroup_that_has_gone_is_no_error(watch: LimitWatch, cgroupfs: FakeCgroupfs) -> None:
    watch.follow("/batch/a")
    cgroupfs.remove("/batch/a")
    watch.follow("/batch/a")
    watch.forget("/batch/a")
