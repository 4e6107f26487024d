# SPDX-License-Identifier: GPL-2.0-or-later
"""bpf_try_to_free_mem_cgroup_pages."""

import ctypes
import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from reclaimd.kernel.object import BpfObject
from tests.kernel.cgroups import PAGE_BYTES, PATIENCE_S, Cgroup, Charger, put_back, until
from tests.kernel.objects import loaded

MAY_SWAP = 1 << 1
PROACTIVE = 1 << 2
OWN_SWAPPINESS = -1
SWAPPINESS_ANON_ONLY = 201

PAGES = 2048
ASKED_PAGES = 512
#: What may move without reclaim: per-CPU stocks, kernel memory.
SLACK_PAGES = 256
US_PER_S = 1_000_000


class ReclaimArgs(ctypes.Structure):
    """Mirrors struct reclaim_args."""

    _fields_ = (
        ("cgroup_id", ctypes.c_uint64),
        ("nr_pages", ctypes.c_uint64),
        ("reclaim_options", ctypes.c_uint32),
        ("swappiness", ctypes.c_int32),
        ("result", ctypes.c_int64),
    )


@pytest.fixture(scope="module")
def programs(nothing_stays: None) -> Iterator[BpfObject]:  # noqa: ARG001  to be outlived by it
    with loaded("reclaim") as obj:
        yield obj


@pytest.fixture
def swappiness() -> Iterator[Path]:
    """The system's swappiness, put back at the end."""
    with put_back(Path("/proc/sys/vm/swappiness")) as file:
        yield file


@pytest.fixture
def charger(cgroup: Cgroup) -> Iterator[Charger]:
    with Charger(cgroup) as made:
        yield made


def reclaim(programs: BpfObject, cgroup: Cgroup, options: int, swappiness: int = OWN_SWAPPINESS) -> int:
    args = ReclaimArgs(cgroup.cgroup_id, ASKED_PAGES, options, swappiness, 0)
    assert programs.program("reclaim").run(args) == 0
    return int(args.result)


def swapped_pages(cgroup: Cgroup) -> int:
    return int(cgroup.read("memory.swap.current")) // PAGE_BYTES


def file_pages(cgroup: Cgroup) -> int:
    return cgroup.keyed("memory.stat")["file"] // PAGE_BYTES


def test_returns_how_many_pages_were_reclaimed(
    programs: BpfObject, cgroup: Cgroup, charger: Charger, disk: Path
) -> None:
    charger.file(disk / "file", PAGES)
    before_pages = cgroup.usage_pages
    reclaimed_pages = reclaim(programs, cgroup, MAY_SWAP | PROACTIVE)
    assert reclaimed_pages >= ASKED_PAGES
    assert abs(before_pages - cgroup.usage_pages - reclaimed_pages) <= SLACK_PAGES


def test_reclaims_from_descendants(programs: BpfObject, cgroup: Cgroup, disk: Path) -> None:
    leaf = cgroup.child("leaf")
    with Charger(leaf) as charger:
        charger.file(disk / "file", PAGES)
        assert reclaim(programs, cgroup, MAY_SWAP | PROACTIVE) >= ASKED_PAGES
        assert file_pages(leaf) <= PAGES - ASKED_PAGES


@pytest.mark.parametrize("swappiness", [SWAPPINESS_ANON_ONLY + 1, 1 << 30])
def test_swappiness_beyond_the_range_is_einval_as_a_negative_number(
    programs: BpfObject, cgroup: Cgroup, swappiness: int
) -> None:
    for options in (0, PROACTIVE):
        assert reclaim(programs, cgroup, options, swappiness) == -errno.EINVAL


@pytest.mark.parametrize("swappiness", [-(1 << 31), -1, 0, 60, 200, SWAPPINESS_ANON_ONLY])
def test_swappiness_within_the_range_is_taken(
    programs: BpfObject, cgroup: Cgroup, charger: Charger, swappiness: int
) -> None:
    charger.anon(PAGES)
    assert reclaim(programs, cgroup, MAY_SWAP | PROACTIVE, swappiness) >= 0


def test_anonymous_memory_is_left_without_may_swap(
    programs: BpfObject, cgroup: Cgroup, charger: Charger
) -> None:
    charger.anon(PAGES)
    reclaim(programs, cgroup, PROACTIVE)
    reclaim(programs, cgroup, 0)
    assert swapped_pages(cgroup) == 0


@pytest.mark.parametrize("options", [MAY_SWAP, MAY_SWAP | PROACTIVE])
def test_anonymous_memory_is_swapped_out_with_may_swap(
    programs: BpfObject, cgroup: Cgroup, charger: Charger, options: int
) -> None:
    charger.anon(PAGES)
    assert reclaim(programs, cgroup, options) > 0
    assert swapped_pages(cgroup) > 0


def test_scanning_is_counted_as_proactive_with_proactive(
    programs: BpfObject, cgroup: Cgroup, charger: Charger, disk: Path
) -> None:
    charger.file(disk / "file", PAGES)
    reclaim(programs, cgroup, PROACTIVE)
    stat = cgroup.keyed("memory.stat")
    assert stat["pgscan_proactive"] >= ASKED_PAGES
    assert stat["pgscan_direct"] == 0


def test_scanning_is_counted_as_direct_without_proactive(
    programs: BpfObject, cgroup: Cgroup, charger: Charger, disk: Path
) -> None:
    charger.file(disk / "file", PAGES)
    reclaim(programs, cgroup, 0)
    stat = cgroup.keyed("memory.stat")
    assert stat["pgscan_direct"] >= ASKED_PAGES
    assert stat["pgscan_proactive"] == 0


def test_swappiness_overrides_with_proactive(
    programs: BpfObject, cgroup: Cgroup, charger: Charger, disk: Path, swappiness: Path
) -> None:
    swappiness.write_text("0")
    charger.anon(PAGES)
    charger.file(disk / "file", PAGES)
    assert reclaim(programs, cgroup, MAY_SWAP | PROACTIVE, SWAPPINESS_ANON_ONLY) > 0
    assert swapped_pages(cgroup) >= ASKED_PAGES // 2
    assert file_pages(cgroup) >= PAGES


def test_swappiness_does_not_override_without_proactive(
    programs: BpfObject, cgroup: Cgroup, charger: Charger, disk: Path, swappiness: Path
) -> None:
    swappiness.write_text("0")
    charger.anon(PAGES)
    charger.file(disk / "file", PAGES)
    assert reclaim(programs, cgroup, MAY_SWAP, SWAPPINESS_ANON_ONLY) > 0
    assert swapped_pages(cgroup) == 0
    assert file_pages(cgroup) < PAGES


def test_negative_swappiness_is_the_cgroups_own(
    programs: BpfObject, cgroup: Cgroup, charger: Charger, disk: Path, swappiness: Path
) -> None:
    swappiness.write_text("0")
    charger.anon(PAGES)
    charger.file(disk / "file", PAGES)
    assert reclaim(programs, cgroup, MAY_SWAP | PROACTIVE, OWN_SWAPPINESS) > 0
    assert swapped_pages(cgroup) == 0
    assert file_pages(cgroup) < PAGES


def test_may_be_called_from_a_work_queue(
    programs: BpfObject, cgroup: Cgroup, charger: Charger, disk: Path
) -> None:
    charger.file(disk / "file", PAGES)
    assert reclaim_in_work(programs, cgroup, OWN_SWAPPINESS) >= ASKED_PAGES
    assert reclaim_in_work(programs, cgroup, SWAPPINESS_ANON_ONLY + 1) == -errno.EINVAL


def reclaim_in_work(programs: BpfObject, cgroup: Cgroup, swappiness: int) -> int:
    def done() -> int:
        return int(programs.variable("work_done", ctypes.c_uint32).value)

    done_before = done()
    args = ReclaimArgs(cgroup.cgroup_id, ASKED_PAGES, MAY_SWAP | PROACTIVE, swappiness, 0)
    assert programs.program("start_work").run(args) == 0
    for _ in until():
        if done() != done_before:
            break
    return int(programs.variable("work_result", ctypes.c_int64).value)


def cpu_us(cgroup: Cgroup) -> int:
    return cgroup.keyed("cpu.stat")["usage_usec"]


def test_its_time_in_a_kernel_thread_is_the_reclaimed_cgroup_s(
    programs: BpfObject, cgroup: Cgroup, disk: Path
) -> None:
    reclaimed, other = cgroup.child("reclaimed"), cgroup.child("other")
    with Charger(reclaimed) as charger:
        charger.file(disk / "file", PAGES)
        before_us, above_before_us = cpu_us(reclaimed), cpu_us(cgroup)
        assert reclaim_in_work(programs, reclaimed, OWN_SWAPPINESS) > 0
        spent_us = cpu_us(reclaimed) - before_us
    assert 0 < spent_us < PATIENCE_S * US_PER_S
    assert cpu_us(cgroup) - above_before_us >= spent_us
    assert cpu_us(other) == 0


def test_its_time_in_a_task_stays_that_task_s(
    programs: BpfObject, cgroup: Cgroup, charger: Charger, disk: Path
) -> None:
    charger.file(disk / "file", PAGES)
    before_us = cpu_us(cgroup)
    assert reclaim(programs, cgroup, MAY_SWAP | PROACTIVE) > 0
    assert cpu_us(cgroup) == before_us
