# SPDX-License-Identifier: GPL-2.0-or-later
"""The life of episodes, without a clock and without cgroups."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclaimd.backend.base import EpisodeEnded, RefusedError, StartReason, StopReason
from reclaimd.backend.memory_reclaim.course import MAX_IDLE_PASSES, Course
from reclaimd.backend.memory_reclaim.episode import Done, Pass
from reclaimd.backend.memory_reclaim.pauses import MIN_MONITOR_PAUSE_NS
from reclaimd.backend.memory_reclaim.plan import NO_SOURCE, Source, plan
from reclaimd.backend.memory_reclaim.size import SWAP_CLUSTER_PAGES
from reclaimd.config.metric import Metric
from reclaimd.config.models import Mode
from reclaimd.policy.rule import SWAPPINESS_OWN, Condition, Reclaim, Rule
from tests.unit.backend.memory_reclaim.rules import FAULTS, HOUR, MS, REFAULTS, SWAP, S, after, between, rule
from tests.unit.rules import all_of, any_of, usage

PASS_NS = 10 * MS
NOW = 100 * S


class Played:
    """A course whose cgroup has so much memory, of which passes bring what they ask for unless told otherwise."""

    def __init__(self, of: Rule, usage_pages: int = 0) -> None:
        self.ended: list[EpisodeEnded] = []
        self.course = Course(plan(of), self.ended.append)
        self.usage = usage_pages
        self.now = NOW

    def charge(self, pages: int, *, charged: bool = False) -> bool:
        """Charge so much, and look."""
        self.usage += pages
        return self.course.start_if_due(self.usage, self.now, charged=charged)

    def step(self, brings: int | None = None, cpu_ns: int = PASS_NS) -> Pass | int | None:
        """Take the next step; a pass brings so much, or all it asks for."""
        step = self.course.next_step(self.usage, self.now)
        if isinstance(step, Pass):
            reclaimed = step.pages if brings is None else min(brings, step.pages)
            self.usage -= reclaimed
            self.course.count(Done(step.pages, reclaimed, self.now, PASS_NS, cpu_ns), self.usage)
            self.now += PASS_NS
        return step

    def steps(self, brings: int | None = None) -> int:
        """Take steps to the end of the episode, waiting where that is due; return how many passes there were."""
        passes = 0
        while self.course.episode is not None:
            step = self.step(brings)
            passes += isinstance(step, Pass)
            self.now += step if isinstance(step, int) else 0
        return passes

    @property
    def reasons(self) -> list[StopReason]:
        """Why episodes have ended."""
        return [event.reason for event in self.ended]


def test_an_episode_goes_from_start_to_stop() -> None:
    played = Played(rule(between(1000, 500)))
    assert not played.charge(999)
    assert played.charge(1)
    played.steps()
    (event,) = played.ended
    assert (event.started_for, event.start_value) == (StartReason.USAGE, 1000)
    assert event.reason is StopReason.USAGE
    assert event.stop_value == event.usage_ended_pages <= 500
    assert event.pages_reclaimed == 1000 - played.usage
    assert event.reclaim_ns == event.passes * PASS_NS == event.ended_ns - event.started_ns


def test_episodes_are_counted_as_they_are_told() -> None:
    played = Played(rule(between(1000, 500)))
    for _ in range(3):
        played.charge(1000)
        played.steps()
    counters = played.course.tally.counters(None)
    assert counters.triggers == counters.episodes == 3
    assert [event.episode for event in played.ended] == [1, 2, 3]
    assert counters.started_for == {StartReason.USAGE: 3}
    assert counters.ended_for == {StopReason.USAGE: 3}
    assert counters.passes == sum(event.passes for event in played.ended)
    assert counters.pages_reclaimed == sum(event.pages_reclaimed for event in played.ended)
    assert counters.durations.sum_ns == sum(event.ended_ns - event.started_ns for event in played.ended)
    assert sum(counters.first_passes.buckets) == sum(counters.first_pages.buckets) == 3


def test_nothing_is_asked_for_that_would_go_below_the_floor() -> None:
    played = Played(rule(replace(between(1000, 100), floor_pages=700)), 1000)
    played.charge(0)
    played.steps()
    (event,) = played.ended
    assert event.reason is StopReason.FLOOR
    assert 700 <= event.stop_value < 700 + SWAP_CLUSTER_PAGES


def test_an_episode_gives_up_when_passes_bring_nothing() -> None:
    played = Played(rule(between(1000, 500)), 1000)
    played.charge(0)
    assert played.steps(brings=0) == MAX_IDLE_PASSES
    (event,) = played.ended
    assert (event.reason, event.stop_value) == (StopReason.NO_PROGRESS, MAX_IDLE_PASSES)
    assert played.course.tally.give_ups == 1


def test_only_passes_in_a_row_that_bring_nothing_count() -> None:
    played = Played(rule(between(1000, 500)), 1000)
    played.charge(0)
    for brings in (0, 0, 0, 1, 0, 0, 0):
        played.step(brings)
    assert not played.ended


def test_pauses_double_as_long_as_nothing_comes_of_it() -> None:
    played = Played(rule(replace(between(1000, 500), backoff_min_ms=100, backoff_max_ms=350)), 1000)
    pauses = []
    for _ in range(4):
        assert played.charge(1)
        played.steps(brings=0)
        pauses.append(played.course.not_before_ns - played.ended[-1].ended_ns)
        assert not played.charge(1), "it is too early"
        played.now = played.course.not_before_ns
    assert pauses == [100 * MS, 200 * MS, 350 * MS, 350 * MS]


def test_after_progress_pauses_are_short_again() -> None:
    played = Played(rule(replace(between(1000, 500), backoff_min_ms=100)), 1000)
    for brings in (0, 0, 1):
        played.now = played.course.not_before_ns + NOW
        played.charge(1)
        played.step(brings)
        played.steps(brings=0)
    assert played.course.not_before_ns - played.ended[-1].ended_ns == 100 * MS


def test_no_episode_begins_while_the_last_cools_down_unless_it_is_asked_for() -> None:
    played = Played(rule(replace(between(1000, 500), cooldown_ms=1000)), 1000)
    played.charge(0)
    played.steps()
    played.now += S - PASS_NS - 1
    assert not played.charge(1000)
    played.course.request(10, played.usage, played.now)
    assert played.course.episode


def test_where_nothing_was_charged_since_no_episode_begins() -> None:
    played = Played(rule(between(1000, 500)), 1000)
    played.charge(0)
    played.steps(brings=0)
    played.now += HOUR
    assert not played.charge(0)
    assert played.charge(0, charged=True)
    played.steps(brings=0)
    played.charge(0, charged=True)
    played.now += HOUR
    assert played.charge(0), "it was charged in the pause"
    played.steps(brings=0)
    played.now += HOUR
    assert played.charge(1)


def test_a_monitored_rule_decides_and_does_nothing() -> None:
    played = Played(rule(between(1000, 500), mode=Mode.MONITOR), 1000)
    assert not played.charge(0)
    (event,) = played.ended
    assert (event.reason, event.passes) == (StopReason.MONITORED, 0)
    assert not any(played.course.tally.durations.times().buckets)
    played.now += MIN_MONITOR_PAUSE_NS - 1
    played.charge(1)
    assert len(played.ended) == 1
    played.now += 1
    played.charge(1)
    assert len(played.ended) == 2


def test_a_request_ends_when_it_has_what_was_asked_for() -> None:
    played = Played(rule(between(10_000, 9000)), 5000)
    played.course.request(600, played.usage, played.now)
    played.steps()
    (event,) = played.ended
    assert (event.started_for, event.start_value) == (StartReason.REQUESTED, 600)
    assert (event.reason, event.stop_value) == (StopReason.RECLAIMED, 600)
    assert event.pages_asked == 600


def test_a_second_request_is_refused_while_an_episode_runs() -> None:
    played = Played(rule(between(10_000, 9000)), 5000)
    played.course.request(600, played.usage, played.now)
    with pytest.raises(RefusedError, match="under way"):
        played.course.request(600, played.usage, played.now)


def test_a_rule_that_does_not_reclaim_refuses() -> None:
    played = Played(rule())
    with pytest.raises(RefusedError, match="does not reclaim"):
        played.course.request(600, 0, NOW)
    assert not played.charge(10**9)


def test_the_rate_holds_passes_back() -> None:
    played = Played(rule(replace(between(1000, 500), rate_pages_per_s=100)), 1000)
    played.charge(0)
    played.steps()
    (event,) = played.ended
    assert 4 * S <= event.ended_ns - event.started_ns <= 5 * S
    assert played.course.tally.held_back == 4


def test_the_share_of_a_cpu_holds_passes_back() -> None:
    played = Played(rule(replace(between(1000, 500), cpu_permille=20)), 1000)
    played.charge(0)
    passes = 0
    while not isinstance(played.step(), int):
        passes += 1
    assert passes == 2


def test_the_kernels_least_is_asked_for_and_counted_where_the_rate_is_less() -> None:
    played = Played(rule(replace(between(1000, 500), rate_pages_per_s=1)), 1000)
    played.charge(0)
    assert played.step() == Pass(SWAP_CLUSTER_PAGES, SWAPPINESS_OWN, is_first=True)
    waited_ns = 0
    while isinstance(step := played.step(), int):
        waited_ns += step
        played.now += step
    assert waited_ns >= (SWAP_CLUSTER_PAGES - 1) * S


def test_an_episode_goes_on_under_another_rule() -> None:
    played = Played(rule(between(1000, 500)), 5000)
    played.charge(0)
    played.step()
    played.course.adopt(plan(rule(between(3000, 2000))), played.now)
    played.steps()
    (event,) = played.ended
    assert event.reason is StopReason.USAGE
    assert 1000 < event.usage_ended_pages <= 2000


@pytest.mark.parametrize(
    "instead", [rule(), rule(between(1000, 500), mode=Mode.MONITOR)], ids=["none", "monitor"]
)
def test_an_episode_ends_when_its_rule_is_to_reclaim_no_more(instead: Rule) -> None:
    played = Played(rule(between(1000, 500)), 5000)
    played.charge(0)
    played.course.adopt(plan(instead), played.now)
    played.steps()
    assert played.reasons == [StopReason.RULE_REMOVED]


def test_an_episode_ends_once() -> None:
    played = Played(rule(between(1000, 500)), 5000)
    played.charge(0)
    played.course.end(StopReason.GONE, 0, 0, played.now)
    played.course.end(StopReason.RULE_REMOVED, 0, 0, played.now)
    assert played.reasons == [StopReason.GONE]
    assert played.course.next_step(0, played.now) is None


def test_an_episode_stops_after_so_long() -> None:
    played = Played(rule(Reclaim(all_of(usage(1000)), all_of(after(S)), rate_pages_per_s=100)), 5000)
    played.charge(0)
    played.steps()
    (event,) = played.ended
    assert (event.reason, event.stop_value) == (StopReason.AFTER, event.ended_ns - event.started_ns)


def test_a_stop_of_several_conditions_tells_the_first_that_holds() -> None:
    played = Played(rule(Reclaim(all_of(usage(1000)), any_of(after(HOUR), usage(800)))), 1000)
    played.charge(0)
    played.steps()
    assert played.reasons == [StopReason.USAGE]


def test_faults_are_to_be_reached_in_their_window() -> None:
    played = Played(rule(Reclaim(all_of(FAULTS), all_of(after(1)))), 1000)
    for ticks, faults in enumerate((5000, 5050, 5099, 5100)):
        assert played.course.sources(played.now) == Source.STAT
        played.course.measured({Metric.PGFAULTS: faults}, played.now)
        assert played.charge(0) is (faults == 5100), ticks
        assert played.course.tally.ticks == ticks + 1
        played.now += 250 * MS
    played.steps()
    assert played.ended[0].start_value == 100


def test_what_has_begun_an_episode_is_measured_again_before_the_next() -> None:
    played = Played(rule(Reclaim(all_of(SWAP), all_of(after(1)))), 1000)
    played.course.measured({Metric.SWAP_FREE: 60}, NOW)
    assert played.charge(0)
    played.steps()
    assert not played.charge(1)
    assert played.course.sources(NOW + 250 * MS) == Source.SWAP
    played.course.measured({Metric.SWAP_FREE: 60}, NOW + 250 * MS)
    assert played.charge(0)


def test_what_is_measured_is_not_read_too_often() -> None:
    course = Played(rule(Reclaim(all_of(FAULTS), all_of(usage(1))))).course
    course.measured({Metric.PGFAULTS: 1}, NOW)
    assert course.sources(NOW + 249 * MS) == NO_SOURCE
    assert course.sources(NOW + 250 * MS) == Source.STAT


def test_measurements_of_long_ago_start_nothing() -> None:
    played = Played(rule(Reclaim(all_of(usage(1000), SWAP), all_of(usage(1)))))
    played.course.measured({Metric.SWAP_FREE: 60}, NOW)
    played.now += 3 * S
    assert not played.charge(1000)
    played.course.measured({Metric.SWAP_FREE: 60}, played.now)
    assert played.charge(0)


def test_what_the_kernel_tells_of_starts_an_episode() -> None:
    played = Played(rule(Reclaim(all_of(FAULTS), all_of(usage(1)))), 1000)
    played.course.measured({Metric.PGFAULTS: 7}, NOW)
    played.course.reached(0)
    assert played.course.sources(NOW) == Source.STAT
    played.course.measured({Metric.PGFAULTS: 7}, NOW)
    assert played.charge(0)


def test_a_stop_is_watched_for_a_whole_window_with_passes_as_large_as_the_rule_has_them() -> None:
    played = Played(rule(Reclaim(all_of(usage(1000)), all_of(REFAULTS), pass_pages=64)), 10**6)
    played.charge(0)
    refaults = 0
    while played.course.episode:
        if played.course.sources(played.now):
            refaults += 10 if played.now < NOW + 3 * S else 0
            played.course.measured({Metric.REFAULTS: refaults}, played.now)
        step = played.step()
        assert not isinstance(step, Pass) or step.pages <= 64
    (event,) = played.ended
    assert event.reason is StopReason.REFAULTS
    assert event.stop_value <= 10
    assert event.ended_ns - event.started_ns > 3 * S


def test_other_conditions_are_measured_anew() -> None:
    played = Played(rule(Reclaim(all_of(FAULTS), all_of(usage(1)))), 1000)
    played.course.measured({Metric.PGFAULTS: 7}, NOW)
    other = Condition(Metric.REFAULTS, 100, 1000)
    played.course.adopt(plan(rule(Reclaim(all_of(other), all_of(usage(1))))), NOW)
    played.course.measured({Metric.REFAULTS: 10**6}, NOW + 100 * MS)
    assert not played.charge(0)


def test_another_bound_on_usage_leaves_what_was_measured() -> None:
    def starts_at(pages: int) -> Rule:
        return rule(Reclaim(all_of(usage(pages), FAULTS), all_of(usage(1))))

    played = Played(starts_at(5000), 1000)
    played.course.measured({Metric.PGFAULTS: 7}, NOW)
    played.course.adopt(plan(starts_at(1000)), NOW)
    played.now += 500 * MS
    played.course.measured({Metric.PGFAULTS: 200}, played.now)
    assert played.charge(0)


@given(
    st.lists(st.integers(0, 2000), min_size=1, max_size=30),
    st.integers(200, 2000),
    st.integers(0, 1000),
    st.integers(0, 300),
)
def test_whatever_comes_what_is_told_is_what_was_counted(
    charges: list[int], start: int, floor: int, brings: int
) -> None:
    played = Played(rule(replace(between(start, start // 2), floor_pages=floor)))
    for charge in charges:
        if played.charge(charge):
            played.steps(brings=None if brings > 200 else brings)
        played.now += S
    counters = played.course.tally.counters(None)
    assert counters.triggers == counters.episodes == len(played.ended)
    assert sum(counters.ended_for.values()) == counters.episodes
    assert counters.pages_reclaimed == sum(event.pages_reclaimed for event in played.ended)
    assert counters.pages_asked == sum(event.pages_asked for event in played.ended)
    assert all(event.usage_ended_pages >= min(floor, event.usage_started_pages) for event in played.ended)
