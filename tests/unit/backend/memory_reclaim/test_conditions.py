# SPDX-License-Identifier: GPL-2.0-or-later

from hypothesis import given
from hypothesis import strategies as st

from reclaimd.backend.memory_reclaim.conditions import Meter, Window
from reclaimd.config.metric import Metric
from reclaimd.policy.rule import Combination, Condition
from tests.unit.backend.memory_reclaim.rules import FAULTS, HOUR, MS, REFAULTS, SWAP, S, after
from tests.unit.rules import all_of, any_of, usage


def test_a_window_begins_with_the_first_value() -> None:
    assert Window().growth(S, S, 1_000_000) == 0


def test_a_window_holds_what_came_since_it_began() -> None:
    window = Window()
    window.growth(S, S, 100)
    assert window.growth(S + 500 * MS, S, 140) == 40


def test_of_the_window_before_that_part_counts_which_is_not_over() -> None:
    window = Window()
    window.growth(0, S, 0)
    window.growth(S + 1, S, 200)
    assert window.growth(S + 1 + 750 * MS, S, 200) in (49, 50)


def test_what_grew_in_a_longer_time_is_taken_as_spread_over_it() -> None:
    window = Window()
    window.growth(0, S, 0)
    assert window.growth(4 * S, S, 100) == 25


@given(st.lists(st.tuples(st.integers(1, 3000), st.integers(0, 1000)), max_size=50), st.integers(1, 2000))
def test_no_window_holds_more_than_what_came(steps: list[tuple[int, int]], size_ms: int) -> None:
    window = Window()
    now_ns = value = 0
    window.growth(now_ns, size_ms * MS, value)
    for step_ms, grown in steps:
        now_ns, value = now_ns + step_ms * MS, value + grown
        assert 0 <= window.growth(now_ns, size_ms * MS, value) <= value


@given(st.integers(1, 1000), st.integers(2, 40))
def test_steady_growth_is_measured_as_it_is(per_tick: int, ticks: int) -> None:
    window = Window()
    growth = 0
    for tick in range(4 * ticks):
        growth = window.growth(tick * 50 * MS, ticks * 50 * MS, tick * per_tick)
    assert abs(growth - ticks * per_tick) <= per_tick


def _reached(combination: Combination, readings: dict[Metric, int]) -> int | None:
    meter = Meter(combination)
    return meter.why(meter.reached(readings, S))


def test_all_of_any_group_must_hold() -> None:
    either = Combination(((usage(4), usage(8)), (SWAP,)), any_of_all=True)
    assert _reached(either, {Metric.USAGE: 5, Metric.SWAP_FREE: 0}) is None
    assert _reached(either, {Metric.USAGE: 8, Metric.SWAP_FREE: 0}) == 0
    assert _reached(either, {Metric.USAGE: 5, Metric.SWAP_FREE: 50}) == 2


def test_any_of_all_groups_must_hold() -> None:
    both = Combination(((usage(4), usage(8)), (SWAP,)), any_of_all=False)
    assert _reached(both, {Metric.USAGE: 5, Metric.SWAP_FREE: 0}) is None
    assert _reached(both, {Metric.USAGE: 3, Metric.SWAP_FREE: 50}) is None
    assert _reached(both, {Metric.USAGE: 5, Metric.SWAP_FREE: 50}) == 0


def test_nothing_at_all_never_holds() -> None:
    for any_of_all in (True, False):
        assert Meter(Combination((), any_of_all)).why(0) is None


def test_what_stops_must_be_down_to_its_bound_for_a_whole_window() -> None:
    meter = Meter(all_of(REFAULTS))
    assert meter.calmed({Metric.REFAULTS: 500}, S, 0) == 0
    assert meter.calmed({Metric.REFAULTS: 520}, S + 900 * MS, 900 * MS) == 0
    assert meter.calmed({Metric.REFAULTS: 520}, 4 * S, 3 * S) == 1
    assert meter.values == [6]


def test_pressure_that_has_not_grown_between_two_of_the_kernels_updates_has_not_calmed_down() -> None:
    meter = Meter(all_of(Condition(Metric.PSI_SOME, 100 * MS, 2000)))

    def calmed(at_ns: int, updates: int) -> int:
        return meter.calmed({Metric.PSI_SOME: updates * 1025 * MS}, at_ns, at_ns)

    # Stalled for half of the time, which is told all at once.
    for tick in range(280):
        assert not calmed(tick * 50 * MS, tick // 41)
    later = [calmed(tick * 50 * MS, 6) for tick in range(280, 500)]
    assert not later[0]
    assert later[-1]


def test_the_episodes_own_measures_are_to_be_reached() -> None:
    meter = Meter(any_of(after(S), Condition(Metric.RECLAIMED, 10)))
    assert meter.calmed({Metric.AFTER: S - 1, Metric.RECLAIMED: 9}, S, HOUR) == 0
    assert meter.calmed({Metric.AFTER: S, Metric.RECLAIMED: 10}, S, HOUR) == 3


def test_what_is_not_known_neither_starts_nor_stops() -> None:
    nothing = all_of(Condition(Metric.SWAP_FREE, 0))
    assert Meter(nothing).reached({}, S) == 0
    assert Meter(nothing).calmed({}, S, HOUR) == 0


def test_what_is_known_again_has_not_grown_at_once() -> None:
    meter = Meter(all_of(FAULTS))
    meter.reached({Metric.PGFAULTS: 5}, S)
    meter.reached({}, S + 100 * MS)
    assert meter.reached({Metric.PGFAULTS: 5000}, S + 200 * MS) == 0


def test_the_kernels_word_counts_once() -> None:
    meter = Meter(all_of(FAULTS))
    meter.tell(0)
    assert meter.reached({Metric.PGFAULTS: 5}, S) == 1
    assert meter.values == [FAULTS.bound]
    assert meter.reached({Metric.PGFAULTS: 5}, S + 1) == 0
