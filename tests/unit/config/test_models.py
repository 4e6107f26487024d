# SPDX-License-Identifier: GPL-2.0-or-later

from typing import Any

import pytest
from pydantic import ValidationError

from reclaimd.config.combination import parse_start, parse_stop
from reclaimd.config.models import (
    BackendChoice,
    Config,
    LogFormat,
    LogLevel,
    Match,
    Policy,
    Reclaim,
    usage_start,
)
from reclaimd.config.units import Duration, Size

POLICY: dict[str, Any] = {
    "name": "batch",
    "match": "/batch.slice/*",
    "reclaim": {"start": "75%", "stop": "70%"},
}


def policy(**changes: Any) -> Policy:  # noqa: ANN401  whatever a file can hold
    return Policy.model_validate(POLICY | changes)


def refusal(**changes: Any) -> str:  # noqa: ANN401  whatever a file can hold
    with pytest.raises(ValidationError) as caught:
        policy(**changes)
    (error,) = caught.value.errors()
    return str(error["ctx"]["error"])


def test_a_policy_without_back_pressure() -> None:
    assert policy().back_pressure is None


def test_durations_are_milliseconds() -> None:
    pressure = policy(back_pressure={"start": "90%", "max_delay": "1s"}).back_pressure
    assert pressure is not None
    assert pressure.max_delay == Duration(1000)


@pytest.mark.parametrize("match", ["/a", ["/a"], {"include": "/a"}, {"include": ["/a"], "exclude": []}])
def test_a_match_has_short_forms(match: object) -> None:
    assert policy(match=match).match == Match.model_validate({"include": ["/a"]})


@pytest.mark.parametrize("match", [None, 7, True])
def test_a_match_says_what_it_can_be(match: object) -> None:
    assert "must say which cgroups" in refusal(match=match)


@pytest.mark.parametrize("match", [[], {"include": []}])
def test_a_match_names_something(match: object) -> None:
    assert refusal(match=match) == "no cgroup is named"


@pytest.mark.parametrize("name", ["batch", "0", "a.b_c-d", "a" * 64])
def test_names(name: str) -> None:
    assert policy(name=name).name == name


@pytest.mark.parametrize("name", ["", "Batch", "-a", "a b", "ä", "a\n", "a" * 65])
def test_refused_names(name: str) -> None:
    assert "is not a name" in refusal(name=name)


def test_a_number_is_no_name() -> None:
    assert refusal(name=7) == "must be text, not a number"


@pytest.mark.parametrize(
    ("start", "stop"), [("75%", "75%"), ("75%", "80%"), ("1GiB", "1024MiB"), ("1MiB", "2MiB")]
)
def test_stop_must_be_below_start(start: str, stop: str) -> None:
    assert "is not below start" in refusal(reclaim={"start": start, "stop": stop})


def test_a_size_and_a_percentage_cannot_be_compared_yet() -> None:
    assert usage_start(policy(reclaim={"start": "1MiB", "stop": "99%"}).reclaim) == Size(1 << 20)


def test_delays_do_not_start_before_reclaim() -> None:
    assert (
        refusal(back_pressure={"start": "74%", "max_delay": "1ms"})
        == "74% is below reclaim.start, which is 75%"
    )


def test_delays_may_start_with_reclaim() -> None:
    assert policy(back_pressure={"start": "75%", "max_delay": "1ms"}).back_pressure is not None


def test_delays_need_room_to_grow() -> None:
    assert "no room" in refusal(back_pressure={"start": "100%", "max_delay": "1ms"})


def test_delays_are_bounded_by_what_the_kernel_does() -> None:
    assert refusal(back_pressure={"start": "90%", "max_delay": "2001ms"}) == "2001ms is too long"


def test_back_pressure_left_empty_is_not_the_same_as_none() -> None:
    assert refusal(back_pressure=None) == "is empty"


def test_log_settings() -> None:
    config = Config.model_validate({"policies": [], "log": {"format": "json", "level": "debug"}})
    assert (config.log.format, config.log.level) == (LogFormat.JSON, LogLevel.DEBUG)


def test_the_backend_is_what_the_host_can_unless_it_is_said() -> None:
    assert Config.model_validate({"policies": []}).backend is BackendChoice.AUTO


@pytest.mark.parametrize("choice", BackendChoice)
def test_a_backend_is_chosen_by_its_name(choice: BackendChoice) -> None:
    assert Config.model_validate({"policies": [], "backend": choice.value}).backend is choice


def test_typed_values_are_taken_as_they_are() -> None:
    start, stop = parse_start("2B"), parse_stop("1B")
    assert Reclaim(start=start, stop=stop).start == start


def test_a_configuration_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        policy().name = "other"
