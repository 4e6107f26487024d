# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine with many cgroups: protection of one at the cost of another, episodes side by side, removals."""

import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from reclaimd.backend.base import Backend, ProtectionBegan, StopReason
from reclaimd.config.metric import Metric
from reclaimd.config.models import Mode, ProtectAs
from reclaimd.policy.rule import Condition, Protect, Rule, Throttle
from tests.kernel.cgroups import PAGE_BYTES, Cgroup, Charger, until
from tests.system.ended import wait_for_ended
from tests.system.load import writing
from tests.system.rules import FAR_MIB, MIB_PAGES, all_of, between, rule

FAULTING = all_of(Condition(Metric.PGFAULTS, 100, 1000))
DELAY_MS = 2000
#: A whole batch of charges (MEMCG_CHARGE_BATCH).
BATCH_PAGES = 64
SWAP_CLUSTER_MAX = 32
SLOWEST_RMDIR_S = 0.25
FOR_MS = 3000
MS_PER_S = 1000


@pytest.fixture
def high(batch: Cgroup) -> Cgroup:
    return batch.child("high")


@pytest.fixture
def low(batch: Cgroup) -> Cgroup:
    return batch.child("low")


def _protected(
    cgroup: Cgroup, protect_as: ProtectAs, for_ms: int = 60_000, mode: Mode = Mode.ENFORCE
) -> Rule:
    return rule(cgroup, protect=Protect(protect_as, FAULTING, for_ms), mode=mode)


def _await_protection(backend: Backend) -> ProtectionBegan:
    for _ in until():
        for event in backend.events():
            if isinstance(event, ProtectionBegan):
                return event
    raise AssertionError  # until() does not come to its end


@pytest.mark.bpf_only("delays of charges")
@pytest.mark.parametrize(
    "protect_as", list(ProtectAs), ids=["delay only", "with below_low", "with below_min"]
)
def test_the_low_cgroup_waits_while_the_high_one_faults(
    backend: Backend, high: Cgroup, low: Cgroup, protect_as: ProtectAs
) -> None:
    throttled = rule(low, throttles=[Throttle(high.cgroup_id, DELAY_MS)])
    backend.apply([_protected(high, protect_as), throttled])
    with Charger(high) as favoured, Charger(low) as held_up:
        favoured.anon(4 * MIB_PAGES)
        began = _await_protection(backend)
        low_s = held_up.anon(4 * BATCH_PAGES)
        high_s = favoured.anon(4 * BATCH_PAGES)
    assert began.cgroup_id == high.cgroup_id
    assert began.value >= 100
    # What is left of an earlier batch may serve for the first pages, but not for more than one batch.
    assert low_s >= 3 * DELAY_MS / 1000
    assert backend.stats()[low.cgroup_id].throttles >= 3
    assert high_s < DELAY_MS / 1000
    assert not backend.stats()[high.cgroup_id].throttles


@pytest.mark.bpf_only("delays of charges")
def test_nobody_waits_for_a_cgroup_that_does_not_fault(backend: Backend, high: Cgroup, low: Cgroup) -> None:
    throttled = rule(low, throttles=[Throttle(high.cgroup_id, DELAY_MS)])
    backend.apply([_protected(high, ProtectAs.LOW), throttled])
    with Charger(low) as charger:
        assert charger.anon(4 * BATCH_PAGES) < DELAY_MS / 1000
    assert not backend.stats()[low.cgroup_id].throttles


def _reclaim(cgroup: Cgroup, pages: int) -> None:
    try:
        cgroup.write("memory.reclaim", str(pages * PAGE_BYTES))
    except BlockingIOError:
        return  # less than that was there


def _fault_until_protected(backend: Backend, favoured: Charger, other: Charger, disk: Path) -> None:
    """Have one fault that has 8 MiB of page cache, as another has that does not."""
    favoured.file(disk / "high", 8 * MIB_PAGES)
    other.file(disk / "low", 8 * MIB_PAGES)
    favoured.anon(2 * MIB_PAGES)
    _await_protection(backend)


def _spares(above: Cgroup, cgroup: Cgroup) -> bool:
    """Reclaim from above, and tell whether the cgroup kept what it had."""
    before_pages = cgroup.usage_pages
    _reclaim(above, 4 * MIB_PAGES)
    return cgroup.usage_pages >= before_pages - MIB_PAGES // 2


@pytest.mark.bpf_only("protection")
@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("protect_as", [ProtectAs.LOW, ProtectAs.MIN])
def test_reclaim_from_above_spares_the_cgroup_that_faults(
    backend: Backend, batch: Cgroup, disk: Path, protect_as: ProtectAs, mode: Mode
) -> None:
    high, low = batch.child("high"), batch.child("low")
    backend.apply([_protected(high, protect_as, mode=mode)])
    with Charger(high) as favoured, Charger(low) as other:
        _fault_until_protected(backend, favoured, other, disk)
        assert _spares(batch, high) is (mode is Mode.ENFORCE)


@pytest.mark.bpf_only("protection")
@pytest.mark.parametrize("protect_as", [ProtectAs.LOW, ProtectAs.MIN])
def test_what_is_below_is_spared_from_above_and_not_from_the_protected_cgroups_own_limit(
    backend: Backend, batch: Cgroup, high: Cgroup, disk: Path, protect_as: ProtectAs
) -> None:
    leaf, low = high.child("leaf"), batch.child("low")
    backend.apply([_protected(high, protect_as)])
    with Charger(leaf) as charger, Charger(low) as other:
        _fault_until_protected(backend, charger, other, disk)
        assert _spares(batch, leaf)
        high.write("memory.max", str(12 * MIB_PAGES * PAGE_BYTES))
        charger.file(disk / "more", 16 * MIB_PAGES)
    events = high.keyed("memory.events")
    assert events["max"] > 0
    assert events["oom"] == 0


@pytest.mark.bpf_only("protection")
def test_protection_ends_with_its_condition(
    backend: Backend, batch: Cgroup, high: Cgroup, disk: Path
) -> None:
    backend.apply([_protected(high, ProtectAs.MIN, for_ms=100)])
    with Charger(high) as charger:
        charger.file(disk / "file", 8 * MIB_PAGES)
        charger.anon(2 * MIB_PAGES)
        _await_protection(backend)
        for _ in until():
            _reclaim(batch, MIB_PAGES)
            if high.usage_pages < 8 * MIB_PAGES:
                break


@pytest.mark.bpf_only("delays of charges")
def test_protection_and_its_throttle_go_on_for_a_time_and_then_end(
    backend: Backend, high: Cgroup, low: Cgroup
) -> None:
    throttled = rule(low, throttles=[Throttle(high.cgroup_id, delay_ms=500)])
    backend.apply([_protected(high, ProtectAs.LOW, for_ms=FOR_MS), throttled])

    def throttles() -> int:
        return backend.stats()[low.cgroup_id].throttles

    with Charger(high) as favoured, Charger(low) as held_up:
        started_s = time.monotonic()
        favoured.anon(2 * MIB_PAGES)
        _await_protection(backend)
        for _ in until():
            before = throttles()
            held_up.anon(2 * BATCH_PAGES)
            if throttles() == before:
                break
        lasted_s = time.monotonic() - started_s
    assert throttles()
    assert lasted_s >= FOR_MS / MS_PER_S


def test_64_episodes_make_progress_together(backend: Backend, batch: Cgroup) -> None:
    leaves = [batch.child(f"leaf{number}") for number in range(64)]
    backend.apply(
        [rule(leaf, replace(between(FAR_MIB, 0.1), pass_pages=SWAP_CLUSTER_MAX)) for leaf in leaves]
    )
    with ExitStack() as chargers:
        # Clean pages of files would be gone before the next request.
        for leaf in leaves:
            chargers.enter_context(Charger(leaf)).anon(4 * MIB_PAGES)
        for leaf in leaves:
            backend.reclaim(leaf.cgroup_id, 3 * MIB_PAGES)
        ended = wait_for_ended(backend, len(leaves))
    assert {event.cgroup_id for event in ended} == {leaf.cgroup_id for leaf in leaves}
    assert {event.reason for event in ended} == {StopReason.RECLAIMED}
    first_ended_ns = min(event.ended_ns for event in ended)
    running = sum(event.started_ns < first_ended_ns for event in ended)
    assert running > len(leaves) // 2


def test_removing_a_cgroup_waits_for_no_reclaim(backend: Backend, batch: Cgroup, disk: Path) -> None:
    leaves = [batch.child(f"leaf{number}") for number in range(200)]
    in_small_passes = replace(between(FAR_MIB, 1), pass_pages=BATCH_PAGES)
    backend.apply([rule(leaf, in_small_passes) for leaf in leaves])
    slowest_s = 0.0
    for number, leaf in enumerate(leaves):
        with Charger(leaf) as charger:
            charger.file(disk / f"file{number}", 4 * MIB_PAGES)
        backend.reclaim(leaf.cgroup_id, 4 * MIB_PAGES)
        started_s = time.monotonic()
        leaf.path.rmdir()
        slowest_s = max(slowest_s, time.monotonic() - started_s)
        (disk / f"file{number}").unlink()
    cut_short = [event for event in wait_for_ended(backend, len(leaves)) if event.reason is StopReason.GONE]
    assert len(cut_short) > len(leaves) // 2, "so many had reclaim going on"
    # A write to memory.reclaim that the removal has cut short is not a pass any more.
    assert any(event.passes for event in cut_short) or backend.name == "memory.reclaim"
    assert slowest_s < SLOWEST_RMDIR_S
    for _ in until():
        backend.events()
        if not backend.stats():
            break


def test_replacing_rules_under_load_leaves_no_charge_ungoverned(
    backend: Backend, batch: Cgroup, disk: Path
) -> None:
    leaf = batch.child("leaf")
    backend.apply([rule(leaf, between(8, 6))])
    with writing(leaf, disk / "file", 512) as workload:
        for rounds, _ in enumerate(until()):
            above, own = rule(batch, between(12, 10)), rule(leaf, between(8 + rounds % 3, 6))
            backend.apply([above, own] if rounds % 2 else [own])
            if rounds > 50 and backend.stats()[leaf.cgroup_id].triggers > 5:
                break
        assert workload.poll() is None, "it charged all the time"
    assert backend.ungoverned_charges() == 0
