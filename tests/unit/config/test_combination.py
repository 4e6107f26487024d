# SPDX-License-Identifier: GPL-2.0-or-later

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclaimd.config.bad_value import BadValueError
from reclaimd.config.combination import (
    MAX_CONDITIONS,
    MAX_EVENTS,
    MAX_GROUPS,
    Combination,
    Condition,
    parse_start,
    parse_stop,
)
from reclaimd.config.metric import Metric
from reclaimd.config.units import Base, Duration, Percent, Size

MIB = 1 << 20

Parse = Callable[[object], Combination]
BOTH = pytest.mark.parametrize("parse", [parse_start, parse_stop])


def only(combination: Combination) -> Condition:
    (condition,) = combination.conditions
    return condition


def refusal(parse: Parse, value: object) -> BadValueError:
    with pytest.raises(BadValueError) as caught:
        parse(value)
    return caught.value


def sizes(combination: Combination) -> list[list[str]]:
    return [[str(condition.bound) for condition in group] for group in combination.groups]


@BOTH
@pytest.mark.parametrize(
    ("value", "bound"),
    [
        ("75%", Percent(Fraction(75))),
        ("24MiB", Size(24 * MIB)),
        ("10% of machine", Percent(Fraction(10), Base.MACHINE)),
    ],
)
def test_a_bare_threshold_is_short_for_usage(parse: Parse, value: str, bound: Size | Percent) -> None:
    assert parse(value) == Combination(((Condition(Metric.USAGE, bound),),), any_of_all=True)


@BOTH
@pytest.mark.parametrize(
    ("value", "metric", "bound", "window_ms"),
    [
        ({"usage": "75%"}, Metric.USAGE, Percent(Fraction(75)), None),
        ({"psi": {"some": "10%"}}, Metric.PSI_SOME, Fraction(10), 2000),
        ({"psi": {"full": "2.5%", "window": "10s"}}, Metric.PSI_FULL, Fraction(5, 2), 10_000),
        ({"psi": {"window": "500ms", "some": "100%"}}, Metric.PSI_SOME, Fraction(100), 500),
        ({"psi": {"some": "10%", "window": "60s"}}, Metric.PSI_SOME, Fraction(10), 60_000),
        ({"pgfaults": "5000/s"}, Metric.PGFAULTS, Fraction(5000), 1000),
        ({"refaults": "0.5/s"}, Metric.REFAULTS, Fraction(1, 2), 1000),
        ({"refaults": {"anon": "100/s"}}, Metric.REFAULTS_ANON, Fraction(100), 1000),
        ({"refaults": {"file": "100/s"}}, Metric.REFAULTS_FILE, Fraction(100), 1000),
        ({"events": {"high": 1}}, Metric.EVENTS_HIGH, Fraction(1), 1000),
        ({"events": {"max": 7, "window": "100ms"}}, Metric.EVENTS_MAX, Fraction(7), 100),
        ({"events": {"oom": MAX_EVENTS, "window": "60s"}}, Metric.EVENTS_OOM, Fraction(MAX_EVENTS), 60_000),
        ({"swap_free": "10%"}, Metric.SWAP_FREE, Percent(Fraction(10)), None),
        ({"swap_free": "64MiB"}, Metric.SWAP_FREE, Size(64 * MIB), None),
    ],
)
def test_the_form_of_each_condition(
    parse: Parse, value: object, metric: Metric, bound: object, window_ms: int | None
) -> None:
    condition = only(parse(value))
    window = None if window_ms is None else Duration(window_ms)
    assert (condition.metric, condition.bound, condition.window) == (metric, bound, window)


@pytest.mark.parametrize(
    ("value", "metric", "bound"),
    [
        ({"reclaimed": "64MiB"}, Metric.RECLAIMED, Size(64 * MIB)),
        ({"after": "1.5s"}, Metric.AFTER, Duration(1500)),
    ],
)
def test_stop_can_be_about_the_episode_itself(value: object, metric: Metric, bound: object) -> None:
    condition = only(parse_stop(value))
    assert (condition.metric, condition.bound, condition.window) == (metric, bound, None)


@pytest.mark.parametrize("key", ["reclaimed", "after"])
def test_start_cannot_be_about_the_episode_that_it_begins(key: str) -> None:
    error = refusal(parse_start, {key: "1s"})
    assert error.message == f"unknown condition '{key}'"
    assert error.hint == "it belongs into stop: it is about an episode that runs"
    assert error.at == (key,)


@pytest.mark.parametrize(
    "value",
    [
        {"psi": {"some": "0%"}},
        {"psi": {"full": "0.0%"}},
        {"pgfaults": "0/s"},
        {"refaults": "0/s"},
        {"refaults": {"anon": "0/s"}},
        {"events": {"max": 0}},
    ],
)
def test_nothing_at_all_is_something_to_stop_at(value: object) -> None:
    assert only(parse_stop(value)).bound == 0


@pytest.mark.parametrize(
    ("value", "message", "at"),
    [
        ({"psi": {"some": "0%"}}, "0% is not a percentage above 0 and up to 100", ("psi", "some")),
        ({"pgfaults": "0/s"}, "0/s is out of range", ("pgfaults",)),
        ({"refaults": "0/s"}, "0/s is out of range", ("refaults",)),
        ({"refaults": {"file": "0/s"}}, "0/s is out of range", ("refaults", "file")),
        ({"events": {"max": 0}}, "0 is no number of events", ("events", "max")),
    ],
)
def test_nothing_at_all_is_nothing_to_start_for(value: object, message: str, at: tuple[str, ...]) -> None:
    error = refusal(parse_start, value)
    assert (error.message, error.at) == (message, at)


@BOTH
@pytest.mark.parametrize("value", [{"usage": "0%"}, {"usage": "0MiB"}, {"swap_free": "0%"}, "0%"])
def test_amounts_of_nothing_are_refused_in_stop_too(parse: Parse, value: object) -> None:
    refusal(parse, value)


@BOTH
@pytest.mark.parametrize(
    ("value", "message", "hint", "at"),
    [
        (None, "must be a size or a percentage, not empty", "24MiB or 75%", ()),
        ([], "must be a size or a percentage, not a list", "24MiB or 75%", ()),
        ({}, "a condition has one key, this one 0", "join several by any or all", ()),
        ({"usage": "75%", "swap_free": "1%"}, "a condition has one key, this one 2", "by any or all", ()),
        ({"usage": "75"}, "75 has no unit", "24MiB or 75%", ("usage",)),
        ({"usgae": "75%"}, "unknown condition 'usgae'", "did you mean 'usage'?", ("usgae",)),
        ({"swap-free": "1%"}, "unknown condition 'swap-free'", "did you mean 'swap_free'?", ("swap-free",)),
        ({"cpu": "1%"}, "unknown condition 'cpu'", "the keys here are usage, psi, pgfaults", ("cpu",)),
        ({7: "1%"}, "unknown condition '7'", "the keys here are usage", ("7",)),
        ({"psi": "10%"}, "must be a mapping, but is text", "{some: 10%, window: 2s}", ("psi",)),
        ({"psi": None}, "must be a mapping, but is empty", "{some: 10%, window: 2s}", ("psi",)),
        ({"psi": {}}, "must have one of full, some", "{some: 10%, window: 2s}", ("psi",)),
        ({"psi": {"window": "2s"}}, "must have one of full, some", "{some: 10%, window: 2s}", ("psi",)),
        ({"psi": {"some": "1%", "full": "1%"}}, "must have one of full, some", "{some: 10%", ("psi",)),
        ({"psi": {"som": "1%"}}, "unknown key 'som'", "did you mean 'some'?", ("psi", "som")),
        ({"psi": {"some": 10}}, "10 has no unit", "10%", ("psi", "some")),
        ({"psi": {"some": "24MiB"}}, "24MiB is not a percentage", "write for example 24%", ("psi", "some")),
        ({"psi": {"some": "101%"}}, "101% is not a percentage above 0 and up to 100", "", ("psi", "some")),
        ({"pgfaults": 5000}, "a number is not a rate", "write for example 5000/s", ("pgfaults",)),
        ({"pgfaults": "5000"}, "'5000' is not a rate", "write for example 5000/s", ("pgfaults",)),
        ({"refaults": None}, "empty is not a rate", "write for example 5000/s", ("refaults",)),
        ({"refaults": {}}, "must have one of anon, file", "100/s or {anon: 100/s}", ("refaults",)),
        (
            {"refaults": {"anon": "1/s", "window": "1s"}},
            "unknown key 'window'",
            "the keys here are anon, file",
            ("refaults", "window"),
        ),
        ({"refaults": {"anon": "1"}}, "'1' is not a rate", "5000/s", ("refaults", "anon")),
        ({"events": 1}, "must be a mapping, but is a number", "{max: 1, window: 1s}", ("events",)),
        ({"events": {"low": 1}}, "unknown key 'low'", "the keys here are high, max, oom", ("events", "low")),
        ({"events": {"max": True}}, "True is no number of events", "a whole number", ("events", "max")),
        ({"events": {"max": "1"}}, "1 is no number of events", "a whole number", ("events", "max")),
        ({"events": {"max": 1.0}}, "1.0 is no number of events", "a whole number", ("events", "max")),
        ({"events": {"max": -1}}, "-1 is no number of events", "to 1000000", ("events", "max")),
        ({"events": {"max": 1_000_001}}, "1000001 is no number of events", "1000000", ("events", "max")),
        ({"swap_free": "10"}, "10 has no unit", "1MiB", ("swap_free",)),
        ({"swap_free": "101%"}, "101% is not a percentage above 0 and up to 100", "", ("swap_free",)),
    ],
)
def test_refused_conditions_say_what_where_and_what_to_write(
    parse: Parse, value: object, message: str, hint: str, at: tuple[str, ...]
) -> None:
    error = refusal(parse, value)
    assert error.message == message
    assert hint in (error.hint or "")
    assert error.at == at


@pytest.mark.parametrize(
    ("value", "message", "at"),
    [
        ({"reclaimed": "10%"}, "'%' is not a unit here", ("reclaimed",)),
        ({"reclaimed": 5}, "5 has no unit", ("reclaimed",)),
        ({"after": 5}, "5 has no unit", ("after",)),
        ({"after": "0ms"}, "0ms is not a whole number of milliseconds above 0", ("after",)),
    ],
)
def test_refused_conditions_on_the_episode(value: object, message: str, at: tuple[str, ...]) -> None:
    error = refusal(parse_stop, value)
    assert (error.message, error.at) == (message, at)


@BOTH
@pytest.mark.parametrize(
    ("metric", "kind", "window", "hint"),
    [
        ("psi", {"some": "10%"}, "499ms", "a window is from 500ms to 60s"),
        ("psi", {"some": "10%"}, "60.001s", "a window is from 500ms to 60s"),
        ("events", {"max": 1}, "99ms", "a window is from 100ms to 60s"),
        ("events", {"max": 1}, "61s", "a window is from 100ms to 60s"),
    ],
)
def test_windows_have_a_range(
    parse: Parse, metric: str, kind: dict[str, object], window: str, hint: str
) -> None:
    error = refusal(parse, {metric: {**kind, "window": window}})
    assert error.message == f"{window} is no length for a window"
    assert (error.hint, error.at) == (hint, (metric, "window"))


@BOTH
def test_a_window_needs_a_unit(parse: Parse) -> None:
    error = refusal(parse, {"psi": {"some": "10%", "window": 2}})
    assert (error.message, error.at) == ("2 has no unit", ("psi", "window"))


@BOTH
@pytest.mark.parametrize(("word", "any_of_all"), [("any", False), ("all", True)])
def test_a_flat_list_is_one_group(parse: Parse, word: str, any_of_all: bool) -> None:  # noqa: FBT001  a parameter of the test
    combination = parse({word: ["1MiB", {"usage": "2MiB"}, "3MiB"]})
    assert sizes(combination) == [["1MiB", "2MiB", "3MiB"]]
    assert combination.any_of_all is any_of_all


@BOTH
@pytest.mark.parametrize(("outer", "inner", "any_of_all"), [("any", "all", True), ("all", "any", False)])
def test_a_nested_list_is_a_group_for_each_item(
    parse: Parse,
    outer: str,
    inner: str,
    any_of_all: bool,  # noqa: FBT001  a parameter of the test
) -> None:
    combination = parse({outer: ["1MiB", {inner: ["2MiB", "3MiB"]}]})
    assert sizes(combination) == [["1MiB"], ["2MiB", "3MiB"]]
    assert combination.any_of_all is any_of_all


@BOTH
@pytest.mark.parametrize(("outer", "inner"), [("any", "all"), ("all", "any")])
def test_nested_lists_of_one_are_like_a_flat_list(parse: Parse, outer: str, inner: str) -> None:
    nested, flat = parse({outer: ["1MiB", {inner: ["2MiB"]}]}), parse({outer: ["1MiB", "2MiB"]})
    assert (sizes(nested), nested.any_of_all) == (sizes(flat), flat.any_of_all)


@BOTH
def test_conditions_say_where_they_were_written(parse: Parse) -> None:
    combination = parse({"any": ["1MiB", {"all": [{"usage": "2MiB"}, {"psi": {"some": "1%"}}]}]})
    assert [condition.at for condition in combination.conditions] == [
        ("any", 0),
        ("any", 1, "all", 0, "usage"),
        ("any", 1, "all", 1, "psi"),
    ]


@BOTH
def test_what_was_written_is_known_to_be(parse: Parse) -> None:
    assert all(condition.given for condition in parse({"any": ["1MiB", {"swap_free": "1%"}]}).conditions)


@BOTH
@pytest.mark.parametrize("word", ["any", "all"])
def test_a_word_within_itself_is_refused(parse: Parse, word: str) -> None:
    error = refusal(parse, {word: ["1MiB", {word: ["2MiB"]}]})
    assert error.message == f"'{word}' within '{word}' means nothing"
    assert error.hint == f"write its conditions directly in the outer '{word}'"
    assert error.at == (word, 1, word)


@BOTH
@pytest.mark.parametrize("word", ["any", "all"])
def test_nesting_twice_is_refused(parse: Parse, word: str) -> None:
    other = "all" if word == "any" else "any"
    error = refusal(parse, {word: [{other: ["1MiB", {word: ["2MiB"]}]}]})
    assert error.message == "any and all can be nested once only"
    assert error.hint == "split the policy in two"
    assert error.at == (word, 0, other, 1)


@BOTH
@pytest.mark.parametrize(
    ("value", "word", "other", "at"),
    [
        ({"any": ["1MiB"], "usage": "1MiB"}, "any", "usage", ("usage",)),
        ({"usage": "1MiB", "all": ["1MiB"]}, "all", "usage", ("usage",)),
        ({"all": ["1MiB"], "any": ["1MiB"]}, "any", "all", ("all",)),
        ({"any": [{"all": ["1MiB"], "psi": {}}]}, "all", "psi", ("any", 0, "psi")),
    ],
)
def test_any_and_all_stand_alone(
    parse: Parse, value: object, word: str, other: str, at: tuple[str | int, ...]
) -> None:
    error = refusal(parse, value)
    assert error.message == f"'{word}' stands beside '{other}'"
    assert error.hint == f"put '{other}' into the list of '{word}'"
    assert error.at == at


@BOTH
@pytest.mark.parametrize(
    ("value", "what", "at"),
    [
        ({"any": []}, "an empty list", ("any",)),
        ({"all": []}, "an empty list", ("all",)),
        ({"any": "1MiB"}, "text", ("any",)),
        ({"any": None}, "empty", ("any",)),
        ({"any": {"usage": "1MiB"}}, "a mapping", ("any",)),
        ({"any": ["1MiB", {"all": []}]}, "an empty list", ("any", 1, "all")),
        ({"all": [{"any": 7}]}, "a number", ("all", 0, "any")),
    ],
)
def test_any_and_all_have_lists_that_are_not_empty(
    parse: Parse, value: object, what: str, at: tuple[str | int, ...]
) -> None:
    error = refusal(parse, value)
    assert error.message == f"must be a list of conditions, but is {what}"
    assert error.hint == "write them as '- ' lines"
    assert error.at == at


@BOTH
def test_a_mistake_in_a_list_is_found_by_its_place(parse: Parse) -> None:
    error = refusal(parse, {"any": ["1MiB", {"all": ["2MiB", {"psi": {"some": 5}}]}]})
    assert (error.message, error.at) == ("5 has no unit", ("any", 1, "all", 1, "psi", "some"))


@BOTH
def test_as_many_conditions_as_there_is_room_for(parse: Parse) -> None:
    combination = parse({"any": ["1MiB"] * MAX_CONDITIONS})
    assert len(combination.conditions) == MAX_CONDITIONS


@BOTH
@pytest.mark.parametrize(
    "value",
    [
        {"all": ["1MiB"] * (MAX_CONDITIONS + 1)},
        {"any": [{"all": ["1MiB"] * MAX_CONDITIONS}, "1MiB"]},
    ],
)
def test_too_many_conditions(parse: Parse, value: object) -> None:
    error = refusal(parse, value)
    assert error.message == f"{MAX_CONDITIONS + 1} conditions are too many"
    assert (error.hint, error.at) == (f"use {MAX_CONDITIONS} at most", ())


PAIR = {"all": ["1MiB", "2MiB"]}


@BOTH
def test_as_many_groups_as_there_is_room_for(parse: Parse) -> None:
    assert len(parse({"any": [PAIR] * MAX_GROUPS}).groups) == MAX_GROUPS


@BOTH
def test_too_many_groups(parse: Parse) -> None:
    error = refusal(parse, {"any": [PAIR, *["1MiB"] * MAX_GROUPS]})
    assert error.message == f"any and all join {MAX_GROUPS + 1} groups, which are too many"
    assert (error.hint, error.at) == (f"use {MAX_GROUPS} at most", ())


KEYS = st.sampled_from(
    [
        "any",
        "all",
        "usage",
        "psi",
        "pgfaults",
        "refaults",
        "events",
        "swap_free",
        "reclaimed",
        "after",
        "some",
        "full",
        "window",
        "anon",
        "file",
        "high",
        "max",
        "oom",
    ]
)
VALUES = st.sampled_from(
    ["75%", "10% of machine", "1MiB", "5000/s", "0/s", "0%", "2s", "1ms", 0, 1, 2_000_000, True, None]
)
SCALARS = st.one_of(VALUES, st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
CONDITIONS: st.SearchStrategy[object] = st.one_of(
    VALUES,
    st.sampled_from(["usage", "swap_free", "reclaimed"]).map(lambda key: {key: "1MiB"}),
    st.just({"psi": {"some": "10%"}}),
    st.just({"events": {"max": 1, "window": "1s"}}),
)


def joined(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(
        st.sampled_from(["any", "all"]), st.lists(items, min_size=1, max_size=10), min_size=1, max_size=1
    )


LIKELY = st.one_of(CONDITIONS, joined(CONDITIONS), joined(st.one_of(CONDITIONS, joined(CONDITIONS))))
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(KEYS, inner, max_size=3),
        st.dictionaries(st.one_of(st.text(max_size=4), st.integers()), inner, max_size=2),
    ),
    max_leaves=20,
)


@BOTH
@given(value=st.one_of(ANYTHING, LIKELY))
def test_whatever_is_written_has_room_in_a_rule_or_is_refused(parse: Parse, value: object) -> None:
    try:
        combination = parse(value)
    except BadValueError:
        return
    assert 1 <= len(combination.groups) <= MAX_GROUPS
    assert all(combination.groups)
    assert len(combination.conditions) <= MAX_CONDITIONS
