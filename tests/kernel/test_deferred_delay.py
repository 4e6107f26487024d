# SPDX-License-Identifier: GPL-2.0-or-later
"""MEMCG_BPF_DELAY_DEFER: delays for charges that may not sleep, or had better not: an extension of the interface."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.cgroups import CHARGE_BATCH_PAGES, Cgroup, Charger, uncached_file, until
from tests.kernel.delay_flags import delay_flag
from tests.kernel.hooks import Hook, Hooks

DELAY_MS = 300
DELAY_S = DELAY_MS / 1000
LONGEST_MS = 2000
FILE_PAGES = 8 * CHARGE_BATCH_PAGES


@pytest.fixture(scope="module")
def defer() -> int:
    """The flag's value."""
    return delay_flag("MEMCG_BPF_DELAY_DEFER")


@pytest.fixture
def charger(hooks: Hooks, cgroup: Cgroup) -> Iterator[Charger]:
    """A task whose charges are governed."""
    with hooks.attached("first", cgroup), Charger(cgroup) as made:
        yield made


@pytest.fixture
def huge_pages_without_direct_reclaim() -> None:
    """Faults take huge pages unasked for, and never reclaim for them: their charges may not sleep."""
    settings = Path("/sys/kernel/mm/transparent_hugepage")
    assert "[always]" in (settings / "enabled").read_text()
    assert "[madvise]" in (settings / "defrag").read_text()


@pytest.mark.usefixtures("huge_pages_without_direct_reclaim")
def test_it_is_delayed_on_the_return_to_user_space_if_the_program_says_so(
    hooks: Hooks, cgroup: Cgroup, charger: Charger, defer: int
) -> None:
    hooks.delay(cgroup, DELAY_MS | defer)
    before = cgroup.keyed("memory.stat")["thp_fault_alloc"]
    assert charger.huge(3) >= 3 * DELAY_S
    assert cgroup.keyed("memory.stat")["thp_fault_alloc"] == before + 3


def test_a_charge_that_may_sleep_is_delayed_as_without_the_flag(
    hooks: Hooks, cgroup: Cgroup, charger: Charger, defer: int
) -> None:
    hooks.delay(cgroup, DELAY_MS | defer)
    assert DELAY_S <= charger.anon(64) < 10


@pytest.fixture
def uncached(disk: Path) -> Path:
    """A file of FILE_PAGES pages, none of them in the page cache."""
    return uncached_file(disk / "uncached", FILE_PAGES)


def test_readahead_is_delayed_once_for_all_its_charges(
    hooks: Hooks, cgroup: Cgroup, charger: Charger, defer: int, uncached: Path
) -> None:
    hooks.delay(cgroup, DELAY_MS | defer)
    took_s = charger.ahead(uncached, FILE_PAGES)
    assert hooks.calls(Hook.CHARGED, cgroup) >= FILE_PAGES / CHARGE_BATCH_PAGES
    assert DELAY_S <= took_s < FILE_PAGES / CHARGE_BATCH_PAGES * DELAY_S


def test_what_is_read_ahead_is_not_locked_during_its_delay(
    hooks: Hooks, cgroup: Cgroup, charger: Charger, defer: int, uncached: Path
) -> None:
    hooks.delay(cgroup, LONGEST_MS | defer)
    charger.tell(f"ahead {uncached} {FILE_PAGES}")
    for _ in until():
        if hooks.calls(Hook.CHARGED, cgroup) > 1:
            break
    # Whoever reads waits for pages that are locked.
    uncached.read_bytes()
    assert not charger.has_answered()


def test_a_deferred_delay_is_a_memory_stall(
    hooks: Hooks, cgroup: Cgroup, charger: Charger, defer: int
) -> None:
    def stalled_us() -> int:
        return int(cgroup.read("memory.pressure").split("total=")[1].split()[0])

    hooks.delay(cgroup, DELAY_MS | defer)
    before_us = stalled_us()
    charger.huge(1)
    assert stalled_us() - before_us >= DELAY_MS * 1000


def test_a_deferred_delay_ends_with_a_fatal_signal(
    hooks: Hooks, cgroup: Cgroup, charger: Charger, defer: int
) -> None:
    hooks.delay(cgroup, LONGEST_MS | defer)
    charger.tell("huge 4")
    # The end of the charger kills it and waits until its cgroup is empty.
