# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine in the kernel: each condition by itself starts and stops an episode, and what bounds one.

Rules are given to the bpf backend directly, so that nothing but the kernel decides.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reclaimd.backend.base import EpisodeEnded, StartReason, StopReason
from reclaimd.backend.bpf import BpfBackend
from reclaimd.config.metric import Metric
from reclaimd.config.models import Mode, ProtectAs
from reclaimd.policy.rule import SWAPPINESS_ANON_ONLY, Combination, Condition, Protect, Reclaim
from tests.kernel.cgroups import PAGE_BYTES, Cgroup, Charger, until
from tests.system.load import MIB, fault_in, write_and_read, writing
from tests.system.rules import FAR_MIB, MIB_PAGES, all_of, any_of, between, rule, usage

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
WINDOW_MS = 500
STALLED_5MS = 5 * NS_PER_MS
LONGEST_PASS_NS = 50 * NS_PER_MS
SWAP_CLUSTER_MAX = 32
MEMCG_CHARGE_BATCH = 64


@pytest.fixture
def leaf(batch: Cgroup) -> Cgroup:
    return batch.child("leaf")


def _ended(backend: BpfBackend) -> list[EpisodeEnded]:
    return [event for event in backend.events() if isinstance(event, EpisodeEnded)]


def _next_ended(backend: BpfBackend) -> EpisodeEnded:
    for _ in until():
        if events := _ended(backend):
            return events[0]
    raise AssertionError  # until() does not come to its end


def _limit(cgroup: Cgroup, high_mib: int | None = None, max_mib: int | None = None, swap: str = "0") -> None:
    cgroup.write("memory.swap.max", swap)
    if high_mib:
        cgroup.write("memory.high", str(high_mib * MIB))
    if max_mib:
        cgroup.write("memory.max", str(max_mib * MIB))


def _fault_past_high(cgroup: Cgroup, disk: Path) -> None:
    _limit(cgroup, high_mib=8)
    write_and_read(cgroup, disk / "file", 32)


def _read_past_max(cgroup: Cgroup, disk: Path) -> None:
    _limit(cgroup, max_mib=8)
    write_and_read(cgroup, disk / "file", 32)


def _swap_in(cgroup: Cgroup, disk: Path) -> None:  # noqa: ARG001  all loads look alike
    _limit(cgroup, max_mib=8, swap="max")
    fault_in(cgroup, 24)


def _fault(cgroup: Cgroup, disk: Path) -> None:  # noqa: ARG001
    fault_in(cgroup, 16)


def _be_killed(cgroup: Cgroup, disk: Path) -> None:  # noqa: ARG001
    _limit(cgroup, max_mib=8)
    with pytest.raises(AssertionError):
        fault_in(cgroup, 24)
    fault_in(cgroup, 2)


STARTS = {
    "usage": (_read_past_max, usage(4)),
    "psi_some": (_fault_past_high, Condition(Metric.PSI_SOME, STALLED_5MS, WINDOW_MS)),
    "psi_full": (_fault_past_high, Condition(Metric.PSI_FULL, STALLED_5MS, WINDOW_MS)),
    "pgfaults": (_fault, Condition(Metric.PGFAULTS, 500, 1000)),
    "refaults": (_read_past_max, Condition(Metric.REFAULTS, 200, 1000)),
    "refaults_file": (_read_past_max, Condition(Metric.REFAULTS_FILE, 200, 1000)),
    "refaults_anon": (_swap_in, Condition(Metric.REFAULTS_ANON, 200, 1000)),
    "events_high": (_fault_past_high, Condition(Metric.EVENTS_HIGH, 5, 1000)),
    "events_max": (_read_past_max, Condition(Metric.EVENTS_MAX, 5, 1000)),
    "events_oom": (_be_killed, Condition(Metric.EVENTS_OOM, 1, 60_000)),
    "swap_free": (_fault, Condition(Metric.SWAP_FREE, 1)),
}


@pytest.mark.parametrize("name", STARTS)
@pytest.mark.usefixtures("small_pages")
def test_each_condition_alone_starts_an_episode(
    backend: BpfBackend, leaf: Cgroup, disk: Path, name: str
) -> None:
    load, condition = STARTS[name]
    backend.apply([rule(leaf, Reclaim(all_of(condition), all_of(Condition(Metric.AFTER, NS_PER_MS))))])
    load(leaf, disk)
    event = _next_ended(backend)
    assert event.started_for.value == condition.metric.value
    assert event.start_value >= condition.bound


def test_what_is_not_reached_starts_nothing(backend: BpfBackend, leaf: Cgroup, disk: Path) -> None:
    far = [
        usage(FAR_MIB),
        Condition(Metric.PSI_SOME, WINDOW_MS * NS_PER_MS, WINDOW_MS),
        Condition(Metric.PGFAULTS, 10**9, 1000),
        Condition(Metric.EVENTS_OOM, 1, 1000),
        Condition(Metric.SWAP_FREE, 1 << 40),
    ]
    backend.apply([rule(leaf, Reclaim(any_of(*far), all_of(usage(1))))])
    _read_past_max(leaf, disk)
    counters = backend.stats()[leaf.cgroup_id]
    assert counters.ticks
    assert not counters.triggers


#: Slow enough that an episode outlasts what its start was for.
SLOWLY = MIB_PAGES // 4

STOPS = {
    "usage": usage(6),
    "psi_some": Condition(Metric.PSI_SOME, STALLED_5MS, WINDOW_MS),
    "psi_full": Condition(Metric.PSI_FULL, STALLED_5MS, WINDOW_MS),
    "pgfaults": Condition(Metric.PGFAULTS, 10, 1000),
    "refaults": Condition(Metric.REFAULTS, 10, 1000),
    "refaults_file": Condition(Metric.REFAULTS_FILE, 10, 1000),
    "refaults_anon": Condition(Metric.REFAULTS_ANON, 10, 1000),
    "events_high": Condition(Metric.EVENTS_HIGH, 0, 1000),
    "events_max": Condition(Metric.EVENTS_MAX, 0, 1000),
    "events_oom": Condition(Metric.EVENTS_OOM, 0, 1000),
    "swap_free": Condition(Metric.SWAP_FREE, 1 << 40),
}


@pytest.mark.parametrize("name", STOPS)
def test_each_condition_alone_stops_an_episode(
    backend: BpfBackend, leaf: Cgroup, disk: Path, name: str
) -> None:
    condition = STOPS[name]
    rate = 0 if condition.metric is Metric.USAGE else SLOWLY
    reclaim = Reclaim(all_of(usage(8)), all_of(condition), rate_pages_per_s=rate)
    backend.apply([rule(leaf, reclaim)])
    with Charger(leaf) as charger:
        charger.file(disk / "file", 9 * MIB_PAGES)
        event = _next_ended(backend)
    assert event.reason.value == condition.metric.value
    assert event.stop_value <= condition.bound
    assert event.ended_ns - event.started_ns >= condition.window_ms * NS_PER_MS


def test_an_episode_stops_when_it_has_reclaimed_so_much(
    backend: BpfBackend, leaf: Cgroup, disk: Path
) -> None:
    reclaim = Reclaim(all_of(usage(8)), all_of(Condition(Metric.RECLAIMED, MIB_PAGES)), pass_pages=64)
    backend.apply([rule(leaf, reclaim)])
    with Charger(leaf) as charger:
        charger.file(disk / "file", 9 * MIB_PAGES)
        event = _next_ended(backend)
    assert event.reason is StopReason.RECLAIMED
    assert event.stop_value == event.pages_reclaimed >= MIB_PAGES
    assert event.pages_asked < 3 * MIB_PAGES


def test_an_episode_stops_after_so_long(backend: BpfBackend, leaf: Cgroup, disk: Path) -> None:
    after = Condition(Metric.AFTER, 2 * NS_PER_S)
    with Charger(leaf) as charger:
        # Written back before the episode begins: passes that find only dirty pages would end it.
        charger.file(disk / "file", 9 * MIB_PAGES)
        backend.apply([rule(leaf, Reclaim(all_of(usage(8)), all_of(after), rate_pages_per_s=SLOWLY))])
        charger.anon(MIB_PAGES)
        event = _next_ended(backend)
    assert event.reason is StopReason.AFTER
    assert event.stop_value >= after.bound


def test_an_episode_stops_at_the_floor(backend: BpfBackend, leaf: Cgroup, disk: Path) -> None:
    reclaim = Reclaim(all_of(usage(8)), all_of(usage(2)), floor_pages=5 * MIB_PAGES, pass_pages=64)
    backend.apply([rule(leaf, reclaim)])
    with Charger(leaf) as charger:
        charger.file(disk / "file", 9 * MIB_PAGES)
        event = _next_ended(backend)
        assert event.reason is StopReason.FLOOR
        assert event.stop_value < 5 * MIB_PAGES + SWAP_CLUSTER_MAX
        # What CPUs had charged in advance is given back meanwhile, and is no reclaim.
        assert leaf.usage_pages >= 5 * MIB_PAGES - (os.cpu_count() or 1) * MEMCG_CHARGE_BATCH


def test_an_episode_stops_when_its_rule_is_removed(backend: BpfBackend, leaf: Cgroup, disk: Path) -> None:
    backend.apply([rule(leaf, Reclaim(all_of(usage(8)), all_of(usage(2)), rate_pages_per_s=SLOWLY))])
    with Charger(leaf) as charger:
        charger.file(disk / "file", 9 * MIB_PAGES)
        backend.apply([])
        before_pages = leaf.usage_pages
        assert not backend.stats()
        assert abs(leaf.usage_pages - before_pages) <= SLOWLY


@pytest.mark.parametrize("mode", list(Mode))
def test_an_episode_stops_when_its_rule_is_to_reclaim_no_more(
    backend: BpfBackend, leaf: Cgroup, disk: Path, mode: Mode
) -> None:
    slowly = Reclaim(all_of(usage(8)), all_of(usage(2)), rate_pages_per_s=SLOWLY)
    never = Protect(ProtectAs.LOW, all_of(Condition(Metric.PGFAULTS, 10**9, 1000)), for_ms=1000)
    instead = {Mode.MONITOR: rule(leaf, slowly, mode=Mode.MONITOR), Mode.ENFORCE: rule(leaf, protect=never)}
    backend.apply([rule(leaf, slowly)])
    with Charger(leaf) as charger:
        charger.file(disk / "file", 9 * MIB_PAGES)
        backend.apply([instead[mode]])
        assert _next_ended(backend).reason is StopReason.RULE_REMOVED
    assert backend.stats()[leaf.cgroup_id].ended_for[StopReason.RULE_REMOVED] == 1


def test_all_waits_for_each_of_its_conditions(backend: BpfBackend, leaf: Cgroup, disk: Path) -> None:
    start = all_of(usage(8), Condition(Metric.PGFAULTS, 500, 1000))
    backend.apply([rule(leaf, Reclaim(start, all_of(Condition(Metric.AFTER, 1))))])
    with Charger(leaf) as charger:
        charger.file(disk / "file", 9 * MIB_PAGES)
        assert not backend.stats()[leaf.cgroup_id].triggers
        charger.anon(8 * MIB_PAGES)
        event = _next_ended(backend)
    assert event.started_for is StartReason.USAGE
    assert event.start_value >= 8 * MIB_PAGES


def test_any_waits_for_the_first_of_its_conditions(backend: BpfBackend, leaf: Cgroup, disk: Path) -> None:
    start = any_of(Condition(Metric.PGFAULTS, 10**9, 1000), usage(8))
    backend.apply([rule(leaf, Reclaim(start, all_of(usage(6))))])
    with Charger(leaf) as charger:
        charger.file(disk / "file", 9 * MIB_PAGES)
        assert _next_ended(backend).started_for is StartReason.USAGE


@pytest.mark.parametrize(
    ("any_of_all", "starts"), [(True, True), (False, False)], ids=["any of all", "all of any"]
)
def test_groups_are_joined_the_other_way_round(
    backend: BpfBackend,
    leaf: Cgroup,
    disk: Path,
    any_of_all: bool,  # noqa: FBT001  a parameter of pytest's
    starts: bool,  # noqa: FBT001
) -> None:
    groups = ((usage(4), usage(8)), (usage(FAR_MIB), usage(FAR_MIB + 1)))
    backend.apply([rule(leaf, Reclaim(Combination(groups, any_of_all), all_of(usage(6))))])
    with Charger(leaf) as charger:
        charger.file(disk / "file", 9 * MIB_PAGES)
    assert bool(backend.stats()[leaf.cgroup_id].triggers) is starts


def test_a_monitored_cgroup_is_only_watched(backend: BpfBackend, leaf: Cgroup, disk: Path) -> None:
    backend.apply([rule(leaf, between(8, 6), mode=Mode.MONITOR)])
    with Charger(leaf) as charger:
        charger.file(disk / "file", 16 * MIB_PAGES)
        event = _next_ended(backend)
    assert event.reason is StopReason.MONITORED
    assert event.passes == 0
    counters = backend.stats()[leaf.cgroup_id]
    assert counters.triggers == counters.episodes == 1, "and no more for a second"
    assert counters.ended_for == {StopReason.MONITORED: 1}
    assert not any(counters.durations.buckets), "it has not run"
    assert not counters.passes
    stat = leaf.keyed("memory.stat")
    assert stat["pgscan"] == 0


def test_no_more_is_reclaimed_in_a_second_than_the_rate(
    backend: BpfBackend, leaf: Cgroup, disk: Path
) -> None:
    after = Condition(Metric.AFTER, 3 * NS_PER_S)
    backend.apply([rule(leaf, Reclaim(all_of(usage(8)), any_of(usage(1), after), rate_pages_per_s=SLOWLY))])
    with Charger(leaf) as charger:
        charger.file(disk / "file", 9 * MIB_PAGES)
        event = _next_ended(backend)
    seconds = (event.ended_ns - event.started_ns) / NS_PER_S
    assert event.reason is StopReason.AFTER
    # Each second's last pass may bring more than it is asked for: a batch of SWAP_CLUSTER_MAX, or a large folio.
    assert 0 < event.pages_reclaimed <= (seconds + 1) * (SLOWLY + 32)
    assert backend.stats()[leaf.cgroup_id].held_back >= 2


def test_no_more_cpu_time_is_spent_in_a_second_than_allowed(
    backend: BpfBackend, leaf: Cgroup, disk: Path
) -> None:
    after = Condition(Metric.AFTER, 4 * NS_PER_S)
    reclaim = Reclaim(all_of(usage(8)), any_of(usage(1), after), cpu_permille=10, pass_pages=32)
    backend.apply([rule(leaf, reclaim)])
    with writing(leaf, disk / "file", 512):
        event = _next_ended(backend)
    assert event.reason is StopReason.AFTER
    seconds = (event.ended_ns - event.started_ns) / NS_PER_S
    counters = backend.stats()[leaf.cgroup_id]
    assert counters.held_back >= 2
    # A pass that has begun is finished; what it took too much, the next seconds have less.
    assert event.reclaim_cpu_ns <= (seconds + 1) * 10 * NS_PER_MS + LONGEST_PASS_NS


def test_no_episode_begins_while_the_last_cools_down(backend: BpfBackend, leaf: Cgroup, disk: Path) -> None:
    backend.apply([rule(leaf, Reclaim(all_of(usage(4)), all_of(usage(3)), cooldown_ms=60_000))])
    with Charger(leaf) as charger:
        charger.file(disk / "file", 16 * MIB_PAGES)
        _next_ended(backend)
        charger.file(disk / "file2", 16 * MIB_PAGES)
        assert backend.stats()[leaf.cgroup_id].triggers == 1


def test_anon_only_leaves_file_pages_alone(backend: BpfBackend, leaf: Cgroup, disk: Path) -> None:
    reclaim = Reclaim(all_of(usage(16)), all_of(usage(12)), swappiness=SWAPPINESS_ANON_ONLY)
    with Charger(leaf) as charger:
        charger.file(disk / "file", 8 * MIB_PAGES)
        backend.apply([rule(leaf, reclaim)])
        file_bytes = leaf.keyed("memory.stat")["file"]
        charger.anon(9 * MIB_PAGES)
        event = _next_ended(backend)
        assert event.pages_reclaimed
        assert leaf.keyed("memory.stat")["file"] >= file_bytes - 64 * PAGE_BYTES
        assert int(leaf.read("memory.swap.current")) > 0


def test_an_idle_cgroup_costs_no_timer(backend: BpfBackend, leaf: Cgroup, disk: Path) -> None:
    condition = Condition(Metric.PSI_SOME, WINDOW_MS * NS_PER_MS, WINDOW_MS)
    backend.apply([rule(leaf, Reclaim(all_of(condition), all_of(usage(1))))])

    def ticks() -> int:
        return backend.stats()[leaf.cgroup_id].ticks

    with Charger(leaf) as charger:
        charger.file(disk / "file", 2 * MIB_PAGES)
        for _ in until():
            if ticks():
                break
        last = -1
        for _ in until():
            if last == (last := ticks()) and _unchanged(ticks):
                break


def _unchanged(ticks: Callable[[], int]) -> bool:
    """Whether nothing is measured in ten times the time between two measurements."""
    before = ticks()
    for seconds, _ in enumerate(until()):
        if seconds == 50:
            return ticks() == before
    return False


def test_a_condition_out_of_reach_for_usage_costs_no_timer(
    backend: BpfBackend, leaf: Cgroup, disk: Path
) -> None:
    start = all_of(usage(FAR_MIB), Condition(Metric.PSI_SOME, 1, WINDOW_MS))
    backend.apply([rule(leaf, Reclaim(start, all_of(usage(1))))])
    _read_past_max(leaf, disk)
    assert backend.stats()[leaf.cgroup_id].ticks == 0


def test_a_cgroup_made_below_is_governed_from_its_first_charge(
    backend: BpfBackend, leaf: Cgroup, disk: Path
) -> None:
    backend.apply([rule(leaf, between(8, 6))])
    new = leaf.child("new").child("newer")
    with Charger(new) as charger:
        charger.file(disk / "file", 9 * MIB_PAGES)
    assert _next_ended(backend).cgroup_id == leaf.cgroup_id
