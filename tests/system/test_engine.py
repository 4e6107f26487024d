# SPDX-License-Identifier: GPL-2.0-or-later
"""The engine in the kernel: each condition by itself starts and stops an episode, and what bounds one.

Rules are given to the bpf backend directly, so that nothing but the kernel decides.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from reclaimd.backend.base import Ability, Backend, EpisodeEnded, StartReason, StopReason
from reclaimd.config.metric import Metric
from reclaimd.config.models import MAX_SWAPPINESS, Mode, ProtectAs
from reclaimd.policy.rule import (
    SWAPPINESS_ANON_ONLY,
    SWAPPINESS_OWN,
    Combination,
    Condition,
    Protect,
    Reclaim,
)
from tests.kernel.cgroups import CHARGE_BATCH_PAGES, PAGE_BYTES, Cgroup, Charger, put_back, until
from tests.system.ended import take_ended, wait_for_ended
from tests.system.load import MIB, fault_in, write_and_read, writing
from tests.system.rules import FAR_MIB, LONGEST_PASS_NS, MIB_PAGES, all_of, any_of, between, rule, usage

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000
MS_PER_S = 1000
WINDOW_MS = 500
STALLED_5MS = 5 * NS_PER_MS
SWAP_CLUSTER_MAX = 32
#: MAX_IDLE_PASSES in bpf_src/episode.bpf.h.
PASSES_IN_VAIN = 4

Load = Callable[[Cgroup, Path], None]


@pytest.fixture
def leaf(batch: Cgroup) -> Cgroup:
    return batch.child("leaf")


def _next_ended(backend: Backend) -> EpisodeEnded:
    return wait_for_ended(backend)[0]


def _wait_for_trigger(backend: Backend, cgroup: Cgroup) -> None:
    for _ in until():
        if backend.stats()[cgroup.cgroup_id].triggers:
            return


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
    backend: Backend, leaf: Cgroup, disk: Path, name: str
) -> None:
    load, condition = STARTS[name]
    backend.apply([rule(leaf, Reclaim(all_of(condition), all_of(Condition(Metric.AFTER, NS_PER_MS))))])
    load(leaf, disk)
    event = _next_ended(backend)
    assert event.started_for.value == condition.metric.value
    assert event.start_value >= condition.bound


def test_what_is_not_reached_starts_nothing(backend: Backend, leaf: Cgroup, disk: Path) -> None:
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

#: With windows longer than a round of the load goes without what is measured, also on a busy host.
STOPS = {
    "psi_some": (_fault_past_high, Condition(Metric.PSI_SOME, STALLED_5MS, 2000)),
    "psi_full": (_fault_past_high, Condition(Metric.PSI_FULL, STALLED_5MS, 2000)),
    "pgfaults": (_fault, Condition(Metric.PGFAULTS, 10, 1000)),
    "refaults": (_read_past_max, Condition(Metric.REFAULTS, 10, 2000)),
    "refaults_file": (_read_past_max, Condition(Metric.REFAULTS_FILE, 10, 2000)),
    "refaults_anon": (_swap_in, Condition(Metric.REFAULTS_ANON, 10, 3000)),
    "events_high": (_fault_past_high, Condition(Metric.EVENTS_HIGH, 0, 2000)),
    "events_max": (_read_past_max, Condition(Metric.EVENTS_MAX, 0, 2000)),
    "events_oom": (_be_killed, Condition(Metric.EVENTS_OOM, 0, 4000)),
}


@contextmanager
def _again_and_again(load: Load, cgroup: Cgroup, disk: Path) -> Iterator[None]:
    """Repeat a load for as long as the context lasts; at its end the last round is over."""
    enough = threading.Event()

    def repeat() -> None:
        while not enough.is_set():
            load(cgroup, disk)

    with ThreadPoolExecutor(1) as pool:
        rounds = pool.submit(repeat)
        try:
            yield
        finally:
            enough.set()
        rounds.result()


@pytest.mark.parametrize("name", STOPS)
@pytest.mark.usefixtures("small_pages")
def test_each_condition_alone_stops_an_episode_once_it_has_calmed_down(
    backend: Backend, leaf: Cgroup, disk: Path, name: str
) -> None:
    load, condition = STOPS[name]
    busy, kept = leaf.child("busy"), leaf.child("kept")
    with Charger(kept) as charger:
        # Something to reclaim after the load, too.
        charger.file(disk / "kept", 8 * MIB_PAGES)
        with _again_and_again(load, busy, disk):
            time.sleep(condition.window_ms / MS_PER_S)
            slowly = Reclaim(all_of(usage(4)), all_of(condition), rate_pages_per_s=SLOWLY)
            backend.apply([rule(leaf, slowly)])
            _wait_for_trigger(backend, leaf)
            time.sleep(2.5 * condition.window_ms / MS_PER_S)
            assert not take_ended(backend), "it has not calmed down"
        event = _next_ended(backend)
    assert event.reason.value == condition.metric.value
    assert event.stop_value <= condition.bound
    assert event.ended_ns - event.started_ns > 2 * condition.window_ms * NS_PER_MS


def test_usage_stops_an_episode(backend: Backend, leaf: Cgroup, disk: Path) -> None:
    backend.apply([rule(leaf, between(8, 6))])
    with Charger(leaf) as charger:
        charger.file(disk / "file", 9 * MIB_PAGES)
        event = _next_ended(backend)
    assert event.reason is StopReason.USAGE
    assert event.start_value >= 8 * MIB_PAGES
    assert event.stop_value <= 6 * MIB_PAGES
    assert event.pages_reclaimed


def test_used_up_swap_stops_an_episode(backend: Backend, batch: Cgroup, leaf: Cgroup, disk: Path) -> None:
    other = batch.child("other")
    with Charger(leaf) as charger, Charger(other) as swapped:
        swapped.anon(16 * MIB_PAGES)
        few_pages = Condition(Metric.SWAP_FREE, _free_swap_pages() - 8 * MIB_PAGES)
        backend.apply([rule(leaf, Reclaim(all_of(usage(8)), all_of(few_pages), rate_pages_per_s=SLOWLY))])
        charger.file(disk / "file", 9 * MIB_PAGES)
        for _ in until():
            if backend.stats()[leaf.cgroup_id].held_back >= 2:
                break
        assert not take_ended(backend), "there is swap"
        other.write("memory.reclaim", f"{12 * MIB} swappiness=200")
        event = _next_ended(backend)
    assert event.reason is StopReason.SWAP_FREE
    assert 0 < event.stop_value <= few_pages.bound


def _free_swap_pages() -> int:
    fields = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return next(int(kib) << 10 for name, kib, *_ in fields if name == "SwapFree:") // PAGE_BYTES


@pytest.mark.parametrize("any_of_all", [True, False], ids=["any of all", "all of any"])
def test_a_stop_joins_its_conditions(
    backend: Backend,
    leaf: Cgroup,
    disk: Path,
    any_of_all: bool,  # noqa: FBT001  a parameter of pytest's
) -> None:
    long_ago, soon = Condition(Metric.AFTER, 60 * NS_PER_S), Condition(Metric.AFTER, NS_PER_S)
    low, lower = usage(7), usage(6)
    # Both come to: usage down to 6 MiB, and a second, but not a minute.
    stops = {
        True: Combination(((low, long_ago), (lower, soon)), any_of_all=True),
        False: Combination(((low, long_ago), (lower,), (soon,)), any_of_all=False),
    }
    with Charger(leaf) as charger:
        charger.file(disk / "file", 9 * MIB_PAGES)
        backend.apply([rule(leaf, Reclaim(all_of(usage(8)), stops[any_of_all], rate_pages_per_s=MIB_PAGES))])
        charger.anon(CHARGE_BATCH_PAGES)
        event = _next_ended(backend)
    # Of what holds, the first as it is written.
    assert event.reason is StopReason.USAGE
    assert event.usage_ended_pages <= 6 * MIB_PAGES
    assert NS_PER_S <= event.ended_ns - event.started_ns < 60 * NS_PER_S


def test_an_episode_stops_when_it_has_reclaimed_so_much(backend: Backend, leaf: Cgroup, disk: Path) -> None:
    reclaim = Reclaim(all_of(usage(8)), all_of(Condition(Metric.RECLAIMED, MIB_PAGES)), pass_pages=64)
    backend.apply([rule(leaf, reclaim)])
    with Charger(leaf) as charger:
        charger.file(disk / "file", 9 * MIB_PAGES)
        event = _next_ended(backend)
    assert event.reason is StopReason.RECLAIMED
    assert event.stop_value == event.pages_reclaimed >= MIB_PAGES
    assert event.pages_asked < 3 * MIB_PAGES


def test_an_episode_stops_after_so_long(backend: Backend, leaf: Cgroup, disk: Path) -> None:
    after = Condition(Metric.AFTER, 2 * NS_PER_S)
    with Charger(leaf) as charger:
        # Written back before the episode begins: passes that find only dirty pages would end it.
        charger.file(disk / "file", 9 * MIB_PAGES)
        backend.apply([rule(leaf, Reclaim(all_of(usage(8)), all_of(after), rate_pages_per_s=SLOWLY))])
        charger.anon(MIB_PAGES)
        event = _next_ended(backend)
    assert event.reason is StopReason.AFTER
    assert event.stop_value >= after.bound


def test_an_episode_stops_at_the_floor(backend: Backend, leaf: Cgroup, disk: Path) -> None:
    reclaim = Reclaim(all_of(usage(8)), all_of(usage(2)), floor_pages=5 * MIB_PAGES, pass_pages=64)
    backend.apply([rule(leaf, reclaim)])
    with Charger(leaf) as charger:
        charger.file(disk / "file", 9 * MIB_PAGES)
        event = _next_ended(backend)
        assert event.reason is StopReason.FLOOR
        assert event.stop_value < 5 * MIB_PAGES + SWAP_CLUSTER_MAX
        # What CPUs had charged in advance is given back meanwhile, and is no reclaim.
        assert leaf.usage_pages >= 5 * MIB_PAGES - (os.cpu_count() or 1) * CHARGE_BATCH_PAGES


def test_an_episode_stops_when_its_rule_is_removed(backend: Backend, leaf: Cgroup, disk: Path) -> None:
    backend.apply([rule(leaf, Reclaim(all_of(usage(8)), all_of(usage(2)), rate_pages_per_s=SLOWLY))])
    with Charger(leaf) as charger:
        charger.file(disk / "file", 9 * MIB_PAGES)
        for _ in until():
            if backend.stats()[leaf.cgroup_id].held_back:
                break
        backend.apply([])
        before_pages = leaf.usage_pages
        event = _next_ended(backend)
        assert event.reason is StopReason.RULE_REMOVED
        assert event.pages_asked < event.usage_started_pages - 6 * MIB_PAGES
        # A write to memory.reclaim may bring much more than it asks for.
        assert event.usage_ended_pages > 2 * MIB_PAGES, "it was not done yet"
        assert not backend.stats()
        assert abs(leaf.usage_pages - before_pages) <= SLOWLY


def test_an_episode_stops_when_its_cgroup_is_removed_even_while_it_waits(
    backend: Backend, leaf: Cgroup, disk: Path
) -> None:
    backend.apply([rule(leaf, Reclaim(all_of(usage(8)), all_of(usage(2)), rate_pages_per_s=SLOWLY))])
    with Charger(leaf) as charger:
        charger.file(disk / "file", 9 * MIB_PAGES)
    for _ in until():
        if backend.stats()[leaf.cgroup_id].held_back:
            break
    leaf.remove()
    event = _next_ended(backend)
    assert event.reason is StopReason.GONE
    assert event.pages_reclaimed


def test_an_episode_stops_when_passes_bring_nothing_and_the_next_waits_ever_longer(
    backend: Backend, leaf: Cgroup
) -> None:
    leaf.write("memory.swap.max", "0")
    # Anonymous pages alone, of which none can go: not even those of the chargers' own program.
    in_vain = replace(between(4, 2), swappiness=SWAPPINESS_ANON_ONLY, backoff_min_ms=400, backoff_max_ms=1600)
    backend.apply([rule(leaf, in_vain)])
    events: list[EpisodeEnded] = []
    with Charger(leaf.child("full")) as full, Charger(leaf.child("other")) as other:
        full.anon(5 * MIB_PAGES)
        for _ in until():
            other.anon(CHARGE_BATCH_PAGES)
            other.free()
            events += take_ended(backend)
            if len(events) >= 5:
                break
    assert {event.reason for event in events} == {StopReason.NO_PROGRESS}
    assert all(event.stop_value == event.passes == PASSES_IN_VAIN for event in events)
    pauses_ms = [(after.started_ns - before.ended_ns) / NS_PER_MS for before, after in pairwise(events)]
    assert all(pause >= at_least for pause, at_least in zip(pauses_ms, (400, 800, 1600, 1600), strict=False))
    assert backend.stats()[leaf.cgroup_id].give_ups == len(events)


@pytest.mark.parametrize("mode", list(Mode))
def test_an_episode_stops_when_its_rule_is_to_reclaim_no_more(
    backend: Backend, leaf: Cgroup, disk: Path, mode: Mode
) -> None:
    slowly = Reclaim(all_of(usage(8)), all_of(usage(2)), rate_pages_per_s=SLOWLY)
    never = Protect(ProtectAs.LOW, all_of(Condition(Metric.PGFAULTS, 10**9, 1000)), for_ms=1000)
    instead = {Mode.MONITOR: rule(leaf, slowly, mode=Mode.MONITOR), Mode.ENFORCE: rule(leaf, protect=never)}
    backend.apply([rule(leaf, slowly)])
    with Charger(leaf) as charger:
        charger.file(disk / "file", 9 * MIB_PAGES)
        _wait_for_trigger(backend, leaf)
        backend.apply([instead[mode]])
        assert _next_ended(backend).reason is StopReason.RULE_REMOVED
    assert backend.stats()[leaf.cgroup_id].ended_for[StopReason.RULE_REMOVED] == 1


def test_all_waits_for_each_of_its_conditions(backend: Backend, leaf: Cgroup, disk: Path) -> None:
    start = all_of(usage(8), Condition(Metric.PGFAULTS, 500, 1000))
    backend.apply([rule(leaf, Reclaim(start, all_of(Condition(Metric.AFTER, 1))))])
    with Charger(leaf) as charger:
        charger.file(disk / "file", 9 * MIB_PAGES)
        assert not backend.stats()[leaf.cgroup_id].triggers
        charger.anon(8 * MIB_PAGES)
        event = _next_ended(backend)
    assert event.started_for is StartReason.USAGE
    assert event.start_value >= 8 * MIB_PAGES


def test_any_waits_for_the_first_of_its_conditions(backend: Backend, leaf: Cgroup, disk: Path) -> None:
    start = any_of(Condition(Metric.PGFAULTS, 10**9, 1000), usage(8))
    backend.apply([rule(leaf, Reclaim(start, all_of(usage(6))))])
    with Charger(leaf) as charger:
        charger.file(disk / "file", 9 * MIB_PAGES)
        assert _next_ended(backend).started_for is StartReason.USAGE


@pytest.mark.parametrize(
    ("any_of_all", "starts"), [(True, True), (False, False)], ids=["any of all", "all of any"]
)
def test_groups_are_joined_the_other_way_round(
    backend: Backend,
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


def test_a_monitored_cgroup_is_only_watched(backend: Backend, leaf: Cgroup, disk: Path) -> None:
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


def test_no_more_is_reclaimed_in_a_second_than_the_rate(backend: Backend, leaf: Cgroup, disk: Path) -> None:
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
    backend: Backend, leaf: Cgroup, disk: Path
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


def test_no_episode_begins_while_the_last_cools_down(backend: Backend, leaf: Cgroup, disk: Path) -> None:
    backend.apply([rule(leaf, Reclaim(all_of(usage(4)), all_of(usage(3)), cooldown_ms=60_000))])
    with Charger(leaf) as charger:
        charger.file(disk / "file", 16 * MIB_PAGES)
        _next_ended(backend)
        charger.file(disk / "file2", 16 * MIB_PAGES)
        assert backend.stats()[leaf.cgroup_id].triggers == 1


def test_anon_only_leaves_file_pages_alone(backend: Backend, leaf: Cgroup, disk: Path) -> None:
    if Ability.SWAPPINESS_ANON_ONLY not in backend.abilities:
        pytest.skip("needs a kernel whose memory.reclaim takes swappiness=max")
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


@pytest.fixture
def kernels_swappiness() -> Iterator[Path]:
    """vm.swappiness, as it was again at the end."""
    with put_back(Path("/proc/sys/vm/swappiness")) as file:
        yield file


#: The rule's, vm.swappiness, and how an episode ends that finds nothing but anonymous pages.
SWAPPINESS = {
    "none": (0, 200, StopReason.NO_PROGRESS),
    "most": (MAX_SWAPPINESS, 0, StopReason.USAGE),
    "none, by the kernel's": (SWAPPINESS_OWN, 0, StopReason.NO_PROGRESS),
    "most, by the kernel's": (SWAPPINESS_OWN, 200, StopReason.USAGE),
}


@pytest.mark.parametrize("name", SWAPPINESS)
@pytest.mark.usefixtures("small_pages")
def test_swappiness_decides_whether_anonymous_pages_go(
    backend: Backend, leaf: Cgroup, kernels_swappiness: Path, name: str
) -> None:
    swappiness, kernels, reason = SWAPPINESS[name]
    kernels_swappiness.write_text(str(kernels))
    backend.apply([rule(leaf, replace(between(12, 10), swappiness=swappiness))])
    with Charger(leaf) as charger:
        charger.anon(13 * MIB_PAGES)
        assert _next_ended(backend).reason is reason
        assert bool(int(leaf.read("memory.swap.current"))) is (reason is StopReason.USAGE)


@pytest.mark.bpf_only("charges wake what looks at a cgroup")
def test_an_idle_cgroup_costs_no_timer(backend: Backend, leaf: Cgroup, disk: Path) -> None:
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


@pytest.mark.bpf_only("charges wake what looks at a cgroup")
def test_a_condition_out_of_reach_for_usage_costs_no_timer(
    backend: Backend, leaf: Cgroup, disk: Path
) -> None:
    start = all_of(usage(FAR_MIB), Condition(Metric.PSI_SOME, 1, WINDOW_MS))
    backend.apply([rule(leaf, Reclaim(start, all_of(usage(1))))])
    _read_past_max(leaf, disk)
    assert backend.stats()[leaf.cgroup_id].ticks == 0


def test_a_cgroup_made_below_is_governed_from_its_first_charge(
    backend: Backend, leaf: Cgroup, disk: Path
) -> None:
    backend.apply([rule(leaf, between(8, 6))])
    new = leaf.child("new").child("newer")
    with Charger(new) as charger:
        charger.file(disk / "file", 9 * MIB_PAGES)
    assert _next_ended(backend).cgroup_id == leaf.cgroup_id
