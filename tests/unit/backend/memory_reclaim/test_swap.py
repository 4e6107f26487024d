# SPDX-License-Identifier: GPL-2.0-or-later

from mmap import PAGESIZE as PAGE_BYTES
from pathlib import Path

import pytest

from reclaimd.backend.memory_reclaim.swap import RESERVED_PAGES, VALID_NS, Swap
from tests.unit.fake_cgroupfs import FakeCgroupfs

KIB = 1024


@pytest.fixture
def meminfo(tmp_path: Path) -> Path:
    file = tmp_path / "meminfo"
    file.write_text("MemTotal:   4000 kB\nSwapTotal:  400000 kB\nSwapFree:  400000 kB\n")
    return file


@pytest.fixture
def swap(cgroupfs: FakeCgroupfs, tmp_path: Path, meminfo: Path) -> Swap:  # noqa: ARG001  it is to be there
    cgroupfs.add("/a/b")
    return Swap(str(cgroupfs.root), tmp_path, tmp_path)


def _limit(cgroupfs: FakeCgroupfs, path: str, most: str, current: int) -> None:
    directory = cgroupfs.root / path[1:]
    (directory / "memory.swap.max").write_text(f"{most}\n")
    (directory / "memory.swap.current").write_text(f"{current}\n")


def test_there_is_room_where_swap_is_free_and_nobody_is_limited(swap: Swap) -> None:
    assert swap.free_pages(0) == 400_000 * KIB // PAGE_BYTES
    assert swap.has_room("/a/b", 0)


def test_there_is_none_without_free_swap(swap: Swap, meminfo: Path) -> None:
    meminfo.write_text("SwapFree: 0 kB\n")
    assert not swap.has_room("/a/b", 0)


def test_what_cpus_hold_in_advance_is_none(swap: Swap, meminfo: Path) -> None:
    meminfo.write_text(f"SwapFree: {RESERVED_PAGES * PAGE_BYTES // KIB} kB\n")
    assert not swap.has_room("/a/b", 0)


def test_what_was_just_read_is_not_read_again(swap: Swap, meminfo: Path) -> None:
    swap.free_pages(0)
    meminfo.write_text("SwapFree: 0 kB\n")
    assert swap.free_pages(VALID_NS - 1)
    assert not swap.free_pages(VALID_NS)


@pytest.mark.parametrize("path", ["/a", "/a/b"])
def test_a_cgroup_may_have_used_up_what_is_its_own_or_of_one_above(
    swap: Swap, cgroupfs: FakeCgroupfs, path: str
) -> None:
    _limit(cgroupfs, path, str(80 * PAGE_BYTES), 20 * PAGE_BYTES)
    assert swap.has_room("/a/b", 0)
    _limit(cgroupfs, path, str(80 * PAGE_BYTES), 79 * PAGE_BYTES)
    assert not swap.has_room("/a/b", 0)


def test_a_cgroup_without_a_limit_has_what_there_is(swap: Swap, cgroupfs: FakeCgroupfs) -> None:
    _limit(cgroupfs, "/a/b", "max", 10**9)
    assert swap.has_room("/a/b", 0)


def test_where_memory_is_demoted_no_swap_is_needed(
    cgroupfs: FakeCgroupfs, tmp_path: Path, meminfo: Path
) -> None:
    meminfo.write_text("SwapFree: 0 kB\n")
    numa = tmp_path / "kernel/mm/numa"
    numa.mkdir(parents=True)
    (numa / "demotion_enabled").write_text("true\n")
    assert Swap(str(cgroupfs.root), tmp_path, tmp_path).has_room("/a", 0)
