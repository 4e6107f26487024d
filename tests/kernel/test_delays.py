# SPDX-License-Identifier: GPL-2.0-or-later
"""The delay that memcg_charged returns."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.cgroups import CHARGE_BATCH_PAGES, PAGE_BYTES, Cgroup, Charger, until
from tests.kernel.delay_flags import delay_flag
from tests.kernel.hooks import Hook, Hooks

PAGES = 10 * CHARGE_BATCH_PAGES
DELAY_MS = 40
JIFFY_S = 1 / 250  # CONFIG_HZ of the lab's kernels
MAX_DELAY_S = 2
HUGE_PAGES = 8
HUGE_BYTES = 2 << 20


@pytest.fixture
def leaf(cgroup: Cgroup) -> Cgroup:
    return cgroup.child("leaf")


@pytest.fixture
def charger(hooks: Hooks, cgroup: Cgroup, leaf: Cgroup) -> Iterator[Charger]:
    """A task whose charges are governed."""
    with hooks.attached("first", cgroup), Charger(leaf) as made:
        yield made


def delayed_s(hooks: Hooks, leaf: Cgroup) -> float:
    """The sum of all delays since hooks.delay(), which ends here."""
    hooks.configure("delay_ms", 0)
    return float(hooks.record(Hook.CHARGED, leaf).delay_ms) / 1000


def test_delay_holds_up_the_charging_task_without_a_breach_of_memory_high(
    hooks: Hooks, leaf: Cgroup, charger: Charger
) -> None:
    hooks.delay(leaf, DELAY_MS)
    took_s = charger.anon(PAGES)
    assert took_s >= delayed_s(hooks, leaf) >= 8 * DELAY_MS / 1000
    assert leaf.keyed("memory.events")["high"] == 0


def test_delay_is_a_lower_bound_where_memory_high_is_breached_too(
    hooks: Hooks, leaf: Cgroup, charger: Charger
) -> None:
    leaf.write("memory.swap.max", "0")  # reclaim cannot help
    # So much that the breach, and the penalty for it, is small in proportion.
    charger.anon(16 * PAGES)
    leaf.write("memory.high", str((leaf.usage_pages + PAGES // 2) * PAGE_BYTES))
    hooks.delay(leaf, DELAY_MS)
    took_s = charger.anon(PAGES)
    assert took_s >= delayed_s(hooks, leaf) >= 8 * DELAY_MS / 1000
    assert leaf.keyed("memory.events")["high"] > 0


def test_no_delay_where_none_is_asked_for(hooks: Hooks, cgroup: Cgroup, leaf: Cgroup) -> None:
    sibling = cgroup.child("sibling")
    with hooks.attached("first", cgroup), Charger(sibling) as charger:
        hooks.delay(leaf, 1000)
        assert charger.anon(PAGES) < 1
        assert hooks.calls(Hook.CHARGED, sibling) >= 8


def test_delay_of_a_millisecond_is_not_rounded_up_to_jiffies(
    hooks: Hooks, leaf: Cgroup, charger: Charger
) -> None:
    hooks.delay(leaf, 1)
    took_s = [charger.anon(CHARGE_BATCH_PAGES) for _ in range(50)]
    calls = hooks.calls(Hook.CHARGED, leaf)
    assert sum(took_s) >= delayed_s(hooks, leaf) == calls / 1000
    assert calls >= 45
    assert min(took_s) < JIFFY_S


def test_delays_can_be_in_microseconds(hooks: Hooks, leaf: Cgroup, charger: Charger) -> None:
    hooks.delay(leaf, 100_000 | delay_flag("MEMCG_BPF_DELAY_USEC"))
    assert 10 * 0.1 > charger.anon(CHARGE_BATCH_PAGES) >= 0.1


def test_delay_in_microseconds_is_cut_to_what_memory_high_is(
    hooks: Hooks, leaf: Cgroup, charger: Charger
) -> None:
    hooks.delay(leaf, 100_000_000 | delay_flag("MEMCG_BPF_DELAY_USEC"))
    # One charge, or two of them.
    assert 3 * MAX_DELAY_S > charger.anon(CHARGE_BATCH_PAGES) >= MAX_DELAY_S


def test_delay_does_not_hold_up_who_charges_from_an_interrupt(
    hooks: Hooks, leaf: Cgroup, charger: Charger
) -> None:
    """A datagram is charged to its receiver in the softirq of whoever sends it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", charger.ask("sink")))
        hooks.delay(leaf, 500)
        start_s = time.monotonic()
        for _ in range(300):
            sender.send(bytes(8192))
        took_s = time.monotonic() - start_s
        assert hooks.record(Hook.CHARGED, leaf).last_tgid == os.getpid()
        assert took_s < delayed_s(hooks, leaf) / 2


def test_delay_does_not_hold_up_a_charge_that_may_not_sleep(
    hooks: Hooks, leaf: Cgroup, charger: Charger, huge_pages: Path
) -> None:
    (huge_pages / "defrag").write_text("never")
    hooks.delay(leaf, 500)
    took_s = charger.huge(HUGE_PAGES)
    assert leaf.keyed("memory.stat")["anon_thp"] == HUGE_PAGES * HUGE_BYTES
    assert delayed_s(hooks, leaf) >= HUGE_PAGES * 0.5
    assert took_s < HUGE_PAGES * 0.5 / 2


def test_delay_does_not_hold_up_a_kernel_thread(
    hooks: Hooks, leaf: Cgroup, charger: Charger, huge_pages: Path
) -> None:
    """Khugepaged charges the huge pages it makes to whose memory they are, and makes them for everybody."""
    (huge_pages / "enabled").write_text("never")
    charger.huge(HUGE_PAGES)
    hooks.delay(leaf, 2000)
    (huge_pages / "enabled").write_text("always")
    charger.huge(1)  # makes the process known to khugepaged, which may begin at once
    start_s = time.monotonic()
    (huge_pages / "khugepaged/scan_sleep_millisecs").write_text("0")
    for _ in until():
        if leaf.keyed("memory.stat")["thp_collapse_alloc"] >= HUGE_PAGES:
            break
    took_s = time.monotonic() - start_s
    assert delayed_s(hooks, leaf) >= HUGE_PAGES * 2
    assert took_s < HUGE_PAGES * 1.5
