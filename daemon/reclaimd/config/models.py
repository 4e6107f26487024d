# SPDX-License-Identifier: GPL-2.0-or-later
"""The typed form of a configuration.

Values are parsed by functions of ours, so that what pydantic itself has to say is only that a key
is unknown or missing, or that a value is no mapping or list.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, field_validator, model_validator

from reclaimd.config.bad_value import BadValueError, describe
from reclaimd.config.glob import Glob, parse_glob
from reclaimd.config.listen import DEFAULT_LISTEN, ListenAddress, parse_listen
from reclaimd.config.units import Duration, Percent, Size, Threshold, parse_duration, parse_threshold

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_WHOLE_LIMIT = 100
#: The kernel never delays a charging task for longer (MEMCG_MAX_HIGH_DELAY_JIFFIES).
MAX_DELAY_MS = 2000


class LogFormat(StrEnum):
    """How log lines look; `auto` is console on a terminal and json elsewhere."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """The least important lines that are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _unless(done: type | tuple[type, ...], parse: Callable[[object], object]) -> PlainValidator:
    """Parse what comes from a file, and leave alone what is already typed."""
    return PlainValidator(lambda value: value if isinstance(value, done) else parse(value))


def _parse_name(value: object) -> str:
    if not isinstance(value, str):
        raise BadValueError(
            f"must be text, not {describe(value)}", hint="put it in quotes, or give it a name"
        )
    if not _NAME.fullmatch(value):
        hint = "use up to 64 of a-z 0-9 . _ - and start with a letter or digit"
        raise BadValueError(f"'{value}' is not a name", hint=hint)
    return value


def _parse_choice(choices: type[StrEnum]) -> Callable[[object], StrEnum]:
    def parse(value: object) -> StrEnum:
        hint = f"write {' or '.join(choices)}"
        if not isinstance(value, str):
            raise BadValueError(f"must be text, not {describe(value)}", hint=hint)
        if value not in tuple(choices):
            raise BadValueError(f"'{value}' is not known", hint=hint)
        return choices(value)

    return parse


def _parse_max_delay(value: object) -> Duration:
    delay = parse_duration(value)
    if delay.duration_ms > MAX_DELAY_MS:
        raise BadValueError(
            f"{value} is too long", hint=f"the kernel delays a task for {MAX_DELAY_MS}ms at most"
        )
    return delay


AThreshold = Annotated[Threshold, _unless((Size, Percent), parse_threshold), Field(examples=["75%"])]
AGlob = Annotated[Glob, _unless(Glob, parse_glob)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Match(_Model):
    """Which cgroups a policy is for: those that a glob of include matches and none of exclude does."""

    include: Annotated[tuple[AGlob, ...], Field(examples=["[/batch.slice/*]"])]
    exclude: tuple[AGlob, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, value: Any) -> Any:  # noqa: ANN401  whatever the file holds
        if isinstance(value, dict | cls):
            return value
        if isinstance(value, str | list):
            return {"include": value}
        hint = "write a cgroup path, a list of them, or the keys include and exclude"
        raise BadValueError(f"must say which cgroups, but is {describe(value)}", hint=hint)

    @field_validator("include", "exclude", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:  # noqa: ANN401  whatever the file holds
        return [value] if isinstance(value, str) else value

    @field_validator("include")
    @classmethod
    def _not_empty(cls, value: tuple[Glob, ...]) -> tuple[Glob, ...]:
        if not value:
            raise BadValueError("no cgroup is named", hint="write for example /batch.slice/*")
        return value


class Reclaim(_Model):
    """When background reclaim starts and how far it goes."""

    start: AThreshold
    stop: Annotated[AThreshold, Field(examples=["70%"])]

    @model_validator(mode="after")
    def _stop_below_start(self) -> Self:
        if _comparable(self.start, self.stop) and _amount(self.stop) >= _amount(self.start):
            message = f"{self.stop} is not below start, which is {self.start}"
            raise BadValueError(message, hint="reclaim goes from start down to stop", at=("stop",))
        return self


class BackPressure(_Model):
    """From where on and by how much charging tasks are slowed down.

    The delay grows from nothing at `start` to `max_delay` at the cgroup's memory.max.
    """

    start: Annotated[AThreshold, Field(examples=["90%"])]
    max_delay: Annotated[Duration, _unless(Duration, _parse_max_delay), Field(examples=["100ms"])]

    @model_validator(mode="after")
    def _start_below_limit(self) -> Self:
        if isinstance(self.start, Percent) and self.start.percent == _WHOLE_LIMIT:
            message = "100% leaves no room between start and memory.max"
            raise BadValueError(message, hint="start below it, for example at 90%", at=("start",))
        return self


class Policy(_Model):
    """What is done for the cgroups that match."""

    name: Annotated[str, PlainValidator(_parse_name), Field(examples=["batch"])]
    match: Annotated[Match, Field(examples=["/batch.slice/*"])]
    reclaim: Annotated[Reclaim, Field(examples=["{start: 75%, stop: 70%}"])]
    back_pressure: BackPressure | None = None

    @field_validator("back_pressure", mode="before")
    @classmethod
    def _not_left_empty(cls, value: Any) -> Any:  # noqa: ANN401  whatever the file holds
        if value is None:
            raise BadValueError("is empty", hint="give it start and max_delay, or remove it")
        return value

    @model_validator(mode="after")
    def _back_pressure_from_start_on(self) -> Self:
        start, pressure = self.reclaim.start, self.back_pressure
        if pressure and _comparable(pressure.start, start) and _amount(pressure.start) < _amount(start):
            message = f"{pressure.start} is below reclaim.start, which is {start}"
            hint = "delays are for when reclaim does not keep up: start them at or above reclaim.start"
            raise BadValueError(message, hint=hint, at=("back_pressure", "start"))
        return self


class Metrics(_Model):
    """Where metrics are served."""

    listen: Annotated[ListenAddress, _unless(ListenAddress, parse_listen)] = DEFAULT_LISTEN


class Log(_Model):
    """How the daemon logs."""

    format: Annotated[LogFormat, PlainValidator(_parse_choice(LogFormat))] = LogFormat.AUTO
    level: Annotated[LogLevel, PlainValidator(_parse_choice(LogLevel))] = LogLevel.INFO


class Config(_Model):
    """A whole configuration."""

    policies: Annotated[tuple[Policy, ...], Field(examples=["[]"])]
    metrics: Metrics = Metrics()
    log: Log = Log()


def _comparable(one: Threshold, other: Threshold) -> bool:
    return type(one) is type(other)


def _amount(threshold: Threshold) -> Fraction:
    return Fraction(threshold.size_bytes) if isinstance(threshold, Size) else threshold.percent
