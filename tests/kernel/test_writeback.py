# SPDX-License-Identifier: GPL-2.0-or-later
"""bpf_mem_cgroup_start_writeback."""

import ctypes
import errno
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reclaimd.kernel.object import BpfObject
from tests.kernel.cgroups import PAGE_BYTES, Cgroup, Charger, flushers_asleep, until
from tests.kernel.objects import loaded

MAX_BYTES = 32 << 20
PAGES = 4096
A_WHILE_S = 1.0


class WritebackArgs(ctypes.Structure):
    """Mirrors struct writeback_args."""

    _fields_ = (("cgroup_id", ctypes.c_uint64), ("min_pages", ctypes.c_uint64))


@pytest.fixture
def programs(nothing_stays: None) -> Iterator[BpfObject]:  # noqa: ARG001  to be outlived by it
    with loaded("writeback") as obj:
        yield obj


def start_writeback(programs: BpfObject, cgroup_id: int, min_pages: int = 1) -> int:
    return programs.program("writeback").run(WritebackArgs(cgroup_id, min_pages))


def dirty_pages(cgroup: Cgroup) -> int:
    return cgroup.keyed("memory.stat")["file_dirty"] // PAGE_BYTES


@pytest.mark.parametrize("below", [False, True])
def test_what_is_dirty_is_written_back(programs: BpfObject, cgroup: Cgroup, disk: Path, below: bool) -> None:  # noqa: FBT001
    cgroup.write("memory.max", str(MAX_BYTES))
    with flushers_asleep(), Charger(cgroup.child("child") if below else cgroup) as charger:
        charger.dirty(disk / "file", PAGES)
        time.sleep(A_WHILE_S)
        assert dirty_pages(cgroup) >= PAGES // 2, "nobody has written back so far"
        assert start_writeback(programs, cgroup.cgroup_id) == 0
        for _ in until():
            if dirty_pages(cgroup) < PAGES // 2:
                break


def test_where_few_pages_are_dirty_they_stay_so(programs: BpfObject, cgroup: Cgroup, disk: Path) -> None:
    cgroup.write("memory.max", str(MAX_BYTES))
    with flushers_asleep(), Charger(cgroup) as charger:
        charger.dirty(disk / "file", PAGES)
        assert start_writeback(programs, cgroup.cgroup_id, 2 * PAGES) == 0
        time.sleep(A_WHILE_S)
        assert dirty_pages(cgroup) >= PAGES // 2


def test_a_cgroup_that_has_nothing_dirty_has_nothing_written(programs: BpfObject, cgroup: Cgroup) -> None:
    assert start_writeback(programs, cgroup.cgroup_id) == 0


def test_a_cgroup_that_is_gone_is_not_found(programs: BpfObject, cgroup: Cgroup) -> None:
    child = cgroup.child("child")
    cgroup_id = child.cgroup_id
    child.remove()
    assert start_writeback(programs, cgroup_id) == -errno.ENOENT
