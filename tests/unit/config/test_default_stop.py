# SPDX-License-Identifier: GPL-2.0-or-later

from fractions import Fraction

import pytest

from reclaimd.config.bad_value import BadValueError
from reclaimd.config.combination import MAX_CONDITIONS, Combination, Condition, parse_start, parse_stop
from reclaimd.config.default_stop import default_stop, with_missing
from reclaimd.config.metric import Metric
from reclaimd.config.units import Base, Percent, Size

MIB = 1 << 20
PRESSURE = {"psi": {"some": "10%"}}
FAULTS = {"pgfaults": "5000/s"}


def counterpart(start: object) -> Condition:
    (condition,) = default_stop(parse_start(start)).conditions
    return condition


def completed(stop: object, start: object) -> Combination:
    return with_missing(parse_stop(stop), parse_start(start))


def metrics(combination: Combination) -> list[list[str]]:
    return [[condition.metric.value for condition in group] for group in combination.groups]


@pytest.mark.parametrize(
    ("start", "bound"),
    [
        ("100MiB", Size(90 * MIB)),
        ("11B", Size(9)),
        ("75%", Percent(Fraction(675, 10))),
        ("50% of memory.high", Percent(Fraction(45), Base.MEMORY_HIGH)),
        ("10% of machine", Percent(Fraction(9), Base.MACHINE)),
        (PRESSURE, Fraction(5)),
        (FAULTS, Fraction(2500)),
        ({"refaults": "1/s"}, Fraction(1, 2)),
        ({"refaults": {"anon": "10/s"}}, Fraction(5)),
        ({"refaults": {"file": "10/s"}}, Fraction(5)),
        ({"events": {"high": 8}}, Fraction(0)),
        ({"events": {"max": 1}}, Fraction(0)),
        ({"events": {"oom": 1_000_000}}, Fraction(0)),
        ({"swap_free": "10%"}, Percent(Fraction(5))),
        ({"swap_free": "64MiB"}, Size(32 * MIB)),
    ],
)
def test_the_counterpart_of_each_condition(start: object, bound: object) -> None:
    assert counterpart(start).bound == bound


@pytest.mark.parametrize(
    "start",
    ["75%", {"psi": {"full": "10%", "window": "7s"}}, {"events": {"max": 3, "window": "9s"}}, FAULTS],
)
def test_a_counterpart_measures_the_same(start: object) -> None:
    (begun,) = parse_start(start).conditions
    ended = counterpart(start)
    assert (ended.metric, ended.window) == (begun.metric, begun.window)


def test_nobody_wrote_a_counterpart() -> None:
    assert not counterpart("75%").given


@pytest.mark.parametrize(
    "start",
    [
        "75%",
        {"any": ["75%", PRESSURE]},
        {"all": ["75%", PRESSURE]},
        {"any": ["75%", {"all": [PRESSURE, FAULTS]}]},
        {"all": ["75%", {"any": [PRESSURE, FAULTS]}]},
    ],
)
def test_any_and_all_change_places(start: object) -> None:
    begun, ended = parse_start(start), default_stop(parse_start(start))
    assert ended.any_of_all is not begun.any_of_all
    assert metrics(ended) == metrics(begun)


def test_a_stop_that_mentions_everything_stays_as_it_is() -> None:
    stop = parse_stop({"any": ["70%", {"psi": {"some": "1%"}}]})
    assert with_missing(stop, parse_start({"any": ["75%", PRESSURE]})) is stop


def test_a_stop_may_mention_more_than_start() -> None:
    stop = parse_stop({"all": ["70%", {"psi": {"some": "1%"}}]})
    assert with_missing(stop, parse_start("75%")) is stop


@pytest.mark.parametrize(
    "stop",
    [
        {"reclaimed": "64MiB"},
        {"after": "5s"},
        {"any": [{"reclaimed": "64MiB"}, {"after": "5s"}]},
        {"all": [{"reclaimed": "64MiB"}, {"after": "5s"}]},
    ],
)
def test_a_stop_about_the_episode_alone_stays_as_it_is(stop: object) -> None:
    parsed = parse_stop(stop)
    assert with_missing(parsed, parse_start({"any": ["75%", PRESSURE]})) is parsed


def test_what_a_single_condition_leaves_out_must_calm_down_too() -> None:
    stop = completed("70%", {"any": ["75%", PRESSURE]})
    assert (metrics(stop), stop.any_of_all) == ([["usage", "psi_some"]], True)


def test_what_a_flat_all_leaves_out_is_added_to_it() -> None:
    stop = completed({"all": ["70%", FAULTS]}, {"any": ["75%", PRESSURE, FAULTS]})
    assert (metrics(stop), stop.any_of_all) == ([["usage", "pgfaults", "psi_some"]], True)


def test_what_a_flat_any_leaves_out_is_added_to_each_of_it() -> None:
    stop = completed({"any": ["70%", FAULTS]}, {"any": ["75%", PRESSURE]})
    assert (metrics(stop), stop.any_of_all) == ([["usage", "psi_some"], ["pgfaults", "psi_some"]], True)


def test_a_flat_any_still_ends_an_episode_by_itself() -> None:
    stop = completed({"any": ["70%", {"after": "5s"}]}, {"any": ["75%", PRESSURE]})
    assert (metrics(stop), stop.any_of_all) == ([["usage", "psi_some"], ["after"]], True)


def test_any_of_all_keeps_a_group_about_the_episode_alone() -> None:
    written = {"any": [{"all": ["70%", FAULTS]}, {"all": [{"reclaimed": "64MiB"}, {"after": "5s"}]}]}
    stop = completed(written, {"any": ["75%", PRESSURE]})
    assert metrics(stop) == [["usage", "pgfaults", "psi_some"], ["reclaimed", "after"]]
    assert stop.any_of_all


def test_any_of_all_completes_a_group_that_is_partly_about_the_episode() -> None:
    written = {"any": [{"all": ["70%", {"after": "5s"}]}, {"after": "9s"}]}
    stop = completed(written, {"any": ["75%", PRESSURE]})
    assert metrics(stop) == [["usage", "after", "psi_some"], ["after"]]


def test_all_of_any_gets_a_group_for_each_that_is_missing() -> None:
    written = {"all": [{"any": ["70%", {"after": "5s"}]}, {"swap_free": "1%"}]}
    stop = completed(written, {"any": ["75%", PRESSURE, FAULTS]})
    assert metrics(stop) == [["usage", "after"], ["swap_free"], ["psi_some"], ["pgfaults"]]
    assert not stop.any_of_all


def test_only_what_is_added_was_not_written() -> None:
    stop = completed("70%", {"any": ["75%", PRESSURE]})
    assert [(c.metric, c.given) for c in stop.conditions] == [(Metric.USAGE, True), (Metric.PSI_SOME, False)]


def test_what_is_added_are_counterparts() -> None:
    stop = completed("70%", {"any": ["75%", PRESSURE]})
    assert stop.conditions[1].bound == Fraction(5)


def test_a_flat_any_of_two_windows_gets_both_of_them() -> None:
    start = {"any": [{"psi": {"some": "10%", "window": "1s"}}, {"psi": {"some": "5%", "window": "10s"}}]}
    assert metrics(completed("70%", start)) == [["usage", "psi_some", "psi_some"]]


def test_a_stop_without_room_for_more_conditions_is_refused() -> None:
    full = {"all": ["70%"] * MAX_CONDITIONS}
    with pytest.raises(BadValueError) as caught:
        completed(full, {"any": ["75%", PRESSURE]})
    assert caught.value.message == f"{MAX_CONDITIONS + 1} conditions are too many"
    assert caught.value.at == ("stop",)


def test_a_stop_without_room_for_more_groups_is_refused() -> None:
    pair = {"any": ["70%", {"after": "5s"}]}
    with pytest.raises(BadValueError) as caught:
        completed({"all": [pair, "60%", "50%", "40%"]}, {"any": ["75%", PRESSURE]})
    assert caught.value.message == "any and all join 5 groups, which are too many"
    assert caught.value.at == ("stop",)
