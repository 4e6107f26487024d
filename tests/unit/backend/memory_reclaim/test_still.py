# SPDX-License-Identifier: GPL-2.0-or-later

from pathlib import Path
from weakref import ref

import pytest

from reclaimd.backend.memory_reclaim.files import Files
from reclaimd.backend.memory_reclaim.governed import Governed, Roster
from reclaimd.backend.memory_reclaim.outbox import Outbox
from reclaimd.backend.memory_reclaim.pace import MAX_NS
from reclaimd.backend.memory_reclaim.plan import plan
from reclaimd.backend.memory_reclaim.still import STOCK_PAGES, Still, allocated_pages
from tests.unit.backend.memory_reclaim.rules import between, rule
from tests.unit.fake_cgroupfs import FakeCgroupfs

FAR = 4 * (STOCK_PAGES + 1000)


class Machine:
    """A machine that allocates."""

    def __init__(self) -> None:
        self.allocated: int | None = 5000

    def allocated_pages(self) -> int | None:
        """Return how much it has allocated."""
        return self.allocated


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def still(machine: Machine) -> Still:
    still = Still(machine.allocated_pages)
    still.count(MAX_NS)
    return still


@pytest.fixture
def governed(cgroupfs: FakeCgroupfs) -> Governed:
    return _governed(cgroupfs, Roster(Outbox()), "/a")


def _governed(cgroupfs: FakeCgroupfs, roster: Roster, path: str) -> Governed:
    cgroup_id = cgroupfs.add(path)
    files = Files.open(f"{cgroupfs.root}{path}", cgroup_id)
    assert files
    return roster.new(plan(rule(between(9000, 8000), cgroup_id=cgroup_id)), files)


def test_the_zones_of_the_machine_are_added_up(tmp_path: Path) -> None:
    vmstat = tmp_path / "vmstat"
    vmstat.write_text("nr_free_pages 7\npgalloc_dma32 30\npgalloc_normal 400\npgalloc_movable 0\npgfree 9\n")
    assert allocated_pages(vmstat) == 430


@pytest.mark.parametrize("text", ["pgfree 9\n", None])
def test_a_kernel_may_not_say(tmp_path: Path, text: str | None) -> None:
    vmstat = tmp_path / "vmstat"
    if text is not None:
        vmstat.write_text(text)
    assert allocated_pages(vmstat) is None


def test_this_kernel_does() -> None:
    before = allocated_pages()
    assert before is not None
    kept = bytearray(1 << 20)
    after = allocated_pages()
    assert after is not None
    assert after > before
    assert kept


def test_it_is_left_alone_until_the_machine_has_allocated_a_quarter_of_what_takes_it_there(
    still: Still, machine: Machine, governed: Governed
) -> None:
    assert still.leave(governed, FAR)
    machine.allocated = 5999
    assert still.count(2 * MAX_NS) == []
    machine.allocated = 6000
    assert still.count(3 * MAX_NS) == [governed]


def test_each_is_left_alone_for_as_long_as_it_is_far(
    still: Still, machine: Machine, cgroupfs: FakeCgroupfs
) -> None:
    roster = Roster(Outbox())
    each = [_governed(cgroupfs, roster, name) for name in ("/a", "/b", "/c")]
    for number, governed in enumerate(each):
        still.leave(governed, FAR + 4000 * number)
    # Looked at meanwhile.
    still.forget(each[0])
    told = []
    for second in range(2, 7):
        machine.allocated = 4000 + 1000 * second
        told.append(still.count(second * MAX_NS))
    assert told == [[], [each[1]], [each[2]], [], []]


def test_allocations_are_counted_once_a_second(still: Still, machine: Machine, governed: Governed) -> None:
    still.leave(governed, FAR)
    machine.allocated = 6000
    assert still.due_ns == 2 * MAX_NS
    assert still.count(still.due_ns - 1) == []
    assert still.count(still.due_ns) == [governed]


def test_what_cpus_charge_in_advance_may_take_it_there_at_once(still: Still, governed: Governed) -> None:
    assert not still.leave(governed, 4 * STOCK_PAGES)


def test_it_is_told_of_only_once(still: Still, machine: Machine, governed: Governed) -> None:
    still.leave(governed, FAR)
    still.forget(governed)
    still.forget(governed)
    machine.allocated = 10**9
    assert still.count(2 * MAX_NS) == []


def test_nobody_is_left_alone_where_it_is_not_known(
    still: Still, machine: Machine, governed: Governed
) -> None:
    still.leave(governed, FAR)
    machine.allocated = None
    assert still.count(2 * MAX_NS) == [governed]
    assert not still.leave(governed, FAR)


def test_what_is_left_alone_is_not_kept(still: Still, machine: Machine, cgroupfs: FakeCgroupfs) -> None:
    governed = _governed(cgroupfs, Roster(Outbox()), "/b")
    kept = ref(governed)
    still.leave(governed, FAR)
    del governed
    machine.allocated = 10**9
    assert kept() is None
    assert still.count(2 * MAX_NS) == []
