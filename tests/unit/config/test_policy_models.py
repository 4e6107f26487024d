# SPDX-License-Identifier: GPL-2.0-or-later

from fractions import Fraction
from typing import Any

import pytest
from pydantic import ValidationError

from reclaimd.config import parse_config
from reclaimd.config.bad_value import BadValueError
from reclaimd.config.combination import parse_start
from reclaimd.config.metric import Metric
from reclaimd.config.models import (
    Backoff,
    Mode,
    OnMissing,
    OtherSwappiness,
    Policy,
    Protect,
    ProtectAs,
    Reclaim,
    Throttle,
    usage_start,
)
from reclaimd.config.problem import InvalidConfigError
from reclaimd.config.units import Duration, Percent, Size

MIB = 1 << 20
THROTTLE = {"match": "/b", "delay": "2s"}


def reclaim(**keys: Any) -> Reclaim:  # noqa: ANN401  whatever a file can hold
    return Reclaim.model_validate({"start": "75%", **keys})


def protect(**keys: Any) -> Protect:  # noqa: ANN401  whatever a file can hold
    return Protect.model_validate({"as": "low", "while": {"pgfaults": "5000/s"}, **keys})


def policy(**keys: Any) -> Policy:  # noqa: ANN401  whatever a file can hold
    return Policy.model_validate({"name": "batch", "match": "/a", **keys})


def refusal(model: type[Reclaim | Protect | Policy | Backoff], keys: object) -> BadValueError:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(keys)
    (details,) = caught.value.errors()
    error = details["ctx"]["error"]
    assert isinstance(error, BadValueError)
    return error


def mistakes(*lines: str) -> list[str]:
    text = "\n".join(["policies:", "  - name: batch", "    match: /a", *(f"    {line}" for line in lines)])
    with pytest.raises(InvalidConfigError) as caught:
        parse_config(text.encode(), "f.yaml")
    return str(caught.value).splitlines()


def test_what_reclaim_is_by_default() -> None:
    plain = reclaim()
    assert (plain.stop, plain.high_async, plain.floor, plain.rate, plain.cpu, plain.cooldown) == (None,) * 6
    assert (plain.pass_size, plain.swappiness) == (Size(MIB), OtherSwappiness.CGROUP)
    assert plain.backoff == Backoff.model_validate({"from": "10ms", "to": "1s"})


def test_high_async_is_a_start_at_a_usage() -> None:
    given = Reclaim.model_validate({"high_async": "75%"})
    assert usage_start(given) == Percent(Fraction(75))


def test_high_async_stops_at_nine_tenths() -> None:
    stop = Reclaim.model_validate({"high_async": "100MiB"}).full_stop()
    assert [(c.metric, c.bound) for c in stop.conditions] == [(Metric.USAGE, Size(90 * MIB))]


@pytest.mark.parametrize("key", ["start", "stop"])
def test_high_async_stands_alone(key: str) -> None:
    error = refusal(Reclaim, {"high_async": "75%", key: "70%"})
    assert error.message == f"stands beside high_async, which replaces {key}"
    assert error.at == (key,)


@pytest.mark.parametrize("keys", [{}, {"stop": "70%"}, {"floor": "10%"}])
def test_reclaim_needs_a_start(keys: object) -> None:
    error = refusal(Reclaim, keys)
    assert (error.message, error.hint) == ("has no start", "add for example 'start: 75%'")


def test_a_stop_that_is_missing_is_the_default() -> None:
    assert [c.bound for c in reclaim().full_stop().conditions] == [Percent(Fraction(675, 10))]


def test_a_stop_is_completed_by_what_it_leaves_out() -> None:
    given = reclaim(start={"any": ["75%", {"psi": {"some": "10%"}}]}, stop="70%")
    assert [c.metric for c in given.full_stop().conditions] == [Metric.USAGE, Metric.PSI_SOME]


def test_a_stop_stays_as_it_was_written() -> None:
    given = reclaim(start={"any": ["75%", {"psi": {"some": "10%"}}]}, stop="70%")
    assert given.stop is not None
    assert [c.metric for c in given.stop.conditions] == [Metric.USAGE]


def test_a_stop_without_room_for_what_it_leaves_out_is_refused() -> None:
    keys = {"start": {"any": ["75%", {"psi": {"some": "10%"}}]}, "stop": {"all": ["70%"] * 8}}
    error = refusal(Reclaim, keys)
    assert (error.message, error.at) == ("9 conditions are too many", ("stop",))


@pytest.mark.parametrize(
    ("start", "stop", "at"),
    [
        ({"psi": {"some": "10%"}}, {"psi": {"some": "10%"}}, ("stop", "psi")),
        ({"pgfaults": "10/s"}, {"pgfaults": "11/s"}, ("stop", "pgfaults")),
        ({"events": {"max": 2}}, {"events": {"max": 2}}, ("stop", "events")),
        ({"swap_free": "10%"}, {"swap_free": "10%"}, ("stop", "swap_free")),
        ({"any": ["75%", "50%"]}, {"all": ["40%", "60%"]}, ("stop", "all", 1)),
        ("75% of machine", "75% of machine", ("stop",)),
    ],
)
def test_what_stop_measures_is_below_start(start: object, stop: object, at: tuple[str | int, ...]) -> None:
    error = refusal(Reclaim, {"start": start, "stop": stop})
    assert "is not below start, which is" in error.message
    assert error.at == at


@pytest.mark.parametrize(
    ("start", "stop"),
    [
        ("75% of machine", "75%"),
        ({"psi": {"some": "10%", "window": "1s"}}, {"psi": {"some": "10%", "window": "2s"}}),
        ({"psi": {"some": "10%"}}, {"psi": {"full": "10%"}}),
    ],
)
def test_different_measurements_are_not_compared(start: object, stop: object) -> None:
    assert reclaim(start=start, stop=stop).stop is not None


@pytest.mark.parametrize(("text", "size_bytes"), [("4KiB", 4096), ("64KiB", 65536), ("16MiB", 16 * MIB)])
def test_pass_sizes(text: str, size_bytes: int) -> None:
    assert reclaim(**{"pass": text}).pass_size == Size(size_bytes)


@pytest.mark.parametrize("text", ["4095B", "16385KiB"])
def test_pass_sizes_have_a_range(text: str) -> None:
    error = refusal(Reclaim, {"start": "75%", "pass": text})
    assert error.message == f"{text} is no size for a pass"
    assert error.hint == "a pass is from 4KiB to 16MiB"


def test_a_rate_is_bytes_in_a_second() -> None:
    assert reclaim(rate="200MiB/s").rate == Size(200 * MIB)


@pytest.mark.parametrize(("text", "share"), [("0.1%", Fraction(1, 10)), ("100%", Fraction(100))])
def test_cpu_is_a_share_of_one(text: str, share: Fraction) -> None:
    assert reclaim(cpu=text).cpu == share


@pytest.mark.parametrize("text", ["0%", "101%"])
def test_cpu_has_a_range(text: str) -> None:
    error = refusal(Reclaim, {"start": "75%", "cpu": text})
    assert error.message == f"{text} is not a percentage above 0 and up to 100"


@pytest.mark.parametrize(
    ("given", "swappiness"),
    [
        (0, 0),
        (200, 200),
        ("cgroup", OtherSwappiness.CGROUP),
        ("anon-only", OtherSwappiness.ANON_ONLY),
    ],
)
def test_swappiness(given: object, swappiness: int | OtherSwappiness) -> None:
    assert reclaim(swappiness=given).swappiness == swappiness


@pytest.mark.parametrize("given", [-1, 201, True, "60", "max", 1.0, None, []])
def test_refused_swappiness(given: object) -> None:
    error = refusal(Reclaim, {"start": "75%", "swappiness": given})
    assert error.message == f"{given} is no swappiness"
    assert error.hint == "write a number from 0 to 200, anon-only or cgroup"


def test_a_cooldown_is_a_duration() -> None:
    assert reclaim(cooldown="1.5s").cooldown == Duration(1500)


@pytest.mark.parametrize("key", ["high_async", "floor", "rate", "cpu", "cooldown"])
def test_a_key_left_empty_is_not_the_same_as_none(key: str) -> None:
    assert refusal(Reclaim, {"start": "75%", key: None}).message == "is empty"


def test_a_backoff_may_stay_as_long_as_it_begins() -> None:
    assert reclaim(backoff={"from": "5s", "to": "5s"}).backoff.most == Duration(5000)


@pytest.mark.parametrize("keys", [{"from": "2s"}, {"to": "9ms"}, {"from": "2s", "to": "1s"}])
def test_a_backoff_does_not_shrink(keys: object) -> None:
    error = refusal(Backoff, keys)
    assert (error.message, error.at) == ("is shorter than from", ("to",))


def test_what_protection_is_by_default() -> None:
    assert (protect().for_time, protect().throttle) == (Duration(2000), ())


@pytest.mark.parametrize(("text", "protect_as"), [("low", ProtectAs.LOW), ("min", ProtectAs.MIN)])
def test_protection_is_as_low_or_min(text: str, protect_as: ProtectAs) -> None:
    assert protect(**{"as": text}).protect_as is protect_as


def test_protection_is_as_one_of_three() -> None:
    error = refusal(Protect, {"as": "high", "while": "75%"})
    assert (error.message, error.hint) == ("'high' is not known", "write none or low or min")


def test_protection_holds_while_what_a_start_can_be_holds() -> None:
    assert protect().condition == parse_start({"pgfaults": "5000/s"})


def test_protection_may_be_nothing_but_throttles() -> None:
    given = protect(**{"as": "none"}, throttle=[THROTTLE])
    assert given.throttle == (Throttle.model_validate(THROTTLE),)


@pytest.mark.parametrize("more", [{}, {"throttle": []}])
def test_protection_does_something(more: dict[str, object]) -> None:
    error = refusal(Protect, {"as": "none", "while": "75%", **more})
    assert (error.message, error.at) == ("none without throttle does nothing", ("as",))


def test_protection_goes_on_as_long_as_can_be_measured() -> None:
    assert protect(**{"for": "100ms"}).for_time == Duration(100)


def test_protection_does_not_go_on_for_less() -> None:
    assert refusal(Protect, {"as": "low", "while": "75%", "for": "99ms"}).message == "99ms is too short"


def test_throttles_are_bounded_by_what_the_kernel_does() -> None:
    keys = {"as": "low", "while": "75%", "throttle": [{"match": "/b", "delay": "2001ms"}]}
    assert refusal(Protect, keys).message == "2001ms is too long"


def test_a_policy_may_be_for_protection_alone() -> None:
    given = policy(protect={"as": "low", "while": "75%"})
    assert (given.reclaim, given.protect is None) == (None, False)


def test_a_policy_without_reclaim_and_protection_does_nothing() -> None:
    error = refusal(Policy, {"name": "batch", "match": "/a"})
    assert error.message == "has neither reclaim nor protect: it does nothing"


def test_back_pressure_needs_reclaim() -> None:
    keys = {"name": "batch", "match": "/a", "back_pressure": {"start": "90%", "max_delay": "1s"}}
    error = refusal(Policy, keys)
    assert (error.at, "needs reclaim" in error.message) == (("back_pressure",), True)


@pytest.mark.parametrize("key", ["reclaim", "back_pressure", "protect"])
def test_a_section_left_empty_is_not_the_same_as_none(key: str) -> None:
    keys = {"name": "batch", "match": "/a", "reclaim": {"start": "75%"}, key: None}
    assert refusal(Policy, keys).message == "is empty"


def test_a_policy_is_enforced_unless_it_says_otherwise() -> None:
    assert policy(reclaim={"start": "75%"}).mode is Mode.ENFORCE


def test_a_policy_may_only_watch() -> None:
    assert policy(mode="monitor", reclaim={"start": "75%"}).mode is Mode.MONITOR


def test_a_policy_that_cannot_be_carried_out_in_full_is_refused_unless_it_says_otherwise() -> None:
    assert policy(reclaim={"start": "75%"}).on_missing is OnMissing.REFUSE
    assert policy(on_missing="warn", reclaim={"start": "75%"}).on_missing is OnMissing.WARN


def test_delays_do_not_start_before_high_async() -> None:
    pressure = {"start": "74%", "max_delay": "1ms"}
    keys = {"name": "batch", "match": "/a", "reclaim": {"high_async": "75%"}, "back_pressure": pressure}
    assert refusal(Policy, keys).at == ("back_pressure", "start")


def test_usage_is_not_all_that_a_combination_starts_for() -> None:
    assert usage_start(reclaim(start={"any": ["75%", {"psi": {"some": "10%"}}]})) is None


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (
            ["mode: watch", "reclaim: {start: 75%}"],
            "f.yaml:4:11: mode: 'watch' is not known; write enforce or monitor",
        ),
        (
            ["on_missing: ignore", "reclaim: {start: 75%}"],
            "f.yaml:4:17: on_missing: 'ignore' is not known; write refuse or warn",
        ),
        (
            ["reclaim:", "  start: 75%", "  swappiness: 201"],
            (
                "f.yaml:6:19: reclaim.swappiness: 201 is no swappiness;"
                " write a number from 0 to 200, anon-only or cgroup"
            ),
        ),
        (
            ["reclaim:", "  high_async: 75%", "  stop: 70%"],
            (
                "f.yaml:6:13: reclaim.stop: stands beside high_async, which replaces stop;"
                " high_async is short for a start with its default stop: write one or the other"
            ),
        ),
        (
            ["reclaim:", "  floor: 10%"],
            "f.yaml:5:7: reclaim: has no start; add for example 'start: 75%'",
        ),
        (
            ["reclaim:", "  start:", "    any:", "      - usage: 75%", "      - psi: {som: 10%}"],
            "f.yaml:8:24: reclaim.start.any.psi.som: unknown key 'som'; did you mean 'some'?",
        ),
        (
            ["reclaim: {start: {any: [75%, {any: [1%]}]}}"],
            (
                "f.yaml:4:40: reclaim.start.any.any: 'any' within 'any' means nothing;"
                " write its conditions directly in the outer 'any'"
            ),
        ),
        (
            ["reclaim: {start: 75%, stop: {all: [70%, {usage: 80%}]}}"],
            (
                "f.yaml:4:53: reclaim.stop.all.usage: 80% is not below start, which is 75%;"
                " reclaim goes from start down to stop"
            ),
        ),
        (
            ["reclaim: {start: {any: [75%, {pgfaults: 1/s}]},", "  stop: {all: [1%,1%,1%,1%,1%,1%,1%,1%]}}"],
            "f.yaml:5:13: reclaim.stop: 9 conditions are too many; use 8 at most",
        ),
        (
            ["reclaim: {start: 75%, backoff: {to: 5ms}}"],
            "f.yaml:4:41: reclaim.backoff.to: is shorter than from; the pause grows from 'from' to 'to'",
        ),
        (
            ["reclaim: {start: 75%, backoff: {from: 2s}}"],
            "f.yaml:4:36: reclaim.backoff: is shorter than from; the pause grows from 'from' to 'to'",
        ),
        (
            ["reclaim: {start: 75%, pass: 1KiB}"],
            "f.yaml:4:33: reclaim.pass: 1KiB is no size for a pass; a pass is from 4KiB to 16MiB",
        ),
        (
            ["protect: {as: none, while: 75%}"],
            (
                "f.yaml:4:19: protect.as: none without throttle does nothing;"
                " write as: low or as: min, or who is throttled meanwhile"
            ),
        ),
        (
            ["protect: {as: low, while: {after: 1s}}"],
            (
                "f.yaml:4:39: protect.while.after: unknown condition 'after';"
                " it belongs into stop: it is about an episode that runs"
            ),
        ),
        (
            ["protect: {while: 75%}"],
            "f.yaml:4:14: the key 'as' is missing in protect; add for example 'as: low'",
        ),
        (
            ["protect: {as: low, while: 75%, throttle: [{match: /b, delay: 3s}]}"],
            (
                "f.yaml:4:66: protect.throttle.delay: 3s is too long;"
                " the kernel delays a task for 2000ms at most"
            ),
        ),
        (
            ["back_pressure: {start: 90%, max_delay: 1s}"],
            (
                "f.yaml:4:20: back_pressure: needs reclaim: a task that waits for it would wait for nothing;"
                " add for example 'reclaim: {start: 75%, stop: 70%}'"
            ),
        ),
        (
            [],
            (
                "f.yaml:2:5: this policy: has neither reclaim nor protect: it does nothing;"
                " add for example 'reclaim: {start: 75%, stop: 70%}'"
            ),
        ),
    ],
)
def test_a_mistake_is_one_line_with_its_place(lines: list[str], found: str) -> None:
    assert mistakes(*lines) == [found]
