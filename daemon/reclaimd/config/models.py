# SPDX-License-Identifier: GPL-2.0-or-later
"""The typed form of a configuration.

Values are parsed by functions of ours, so that what pydantic itself has to say is only that a key
is unknown or missing, or that a value is no mapping or list.
"""

import re
from collections.abc import Callable
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Self, cast

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, field_validator, model_validator

from reclaimd.config import shapes
from reclaimd.config.bad_value import BadValueError, describe, shown
from reclaimd.config.combination import Combination, Condition, parse_start, parse_stop
from reclaimd.config.default_stop import default_stop, with_missing
from reclaimd.config.glob import Glob, parse_glob
from reclaimd.config.listen import DEFAULT_LISTEN, ListenAddress, parse_listen
from reclaimd.config.metric import Metric
from reclaimd.config.units import (
    Duration,
    Percent,
    Size,
    Threshold,
    parse_byte_rate,
    parse_duration,
    parse_share,
    parse_size,
    parse_threshold,
)

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_WHOLE_LIMIT = 100
#: The kernel never delays a charging task for longer (MEMCG_MAX_HIGH_DELAY_JIFFIES).
MAX_DELAY_MS = 2000


MIN_PASS_BYTES = 4096
MAX_PASS_BYTES = 16 << 20
MAX_SWAPPINESS = 200
MIN_FOR_MS = 100
#: As many as can have a rule (RECLAIMD_MAX_RULES in bpf_src/reclaimd.h).
MAX_MAX_CGROUPS = 16384
#: At about 60 series for each, this is more than most Prometheus servers take gladly from one target.
DEFAULT_MAX_CGROUPS = 2000


class Mode(StrEnum):
    """Whether a policy acts on its cgroups, or only decides and counts."""

    ENFORCE = "enforce"
    MONITOR = "monitor"


class OnMissing(StrEnum):
    """What becomes of a policy that asks for something that the backend cannot do.

    REFUSE: it is not put in force. WARN: it is carried out without that.
    """

    REFUSE = "refuse"
    WARN = "warn"


class BackendChoice(StrEnum):
    """What carries rules out: the BPF programs of a patched kernel, writes to memory.reclaim, or what the host can."""

    AUTO = "auto"
    BPF = "bpf"
    MEMORY_RECLAIM = "memory.reclaim"


class ProtectAs(StrEnum):
    """As what a cgroup is protected: as if it were within its memory.low or its memory.min.

    NONE: not at all, only others are throttled for its sake.
    """

    NONE = "none"
    LOW = "low"
    MIN = "min"


class OtherSwappiness(StrEnum):
    """What swappiness can be besides a number: that of the cgroup, or no file pages at all."""

    CGROUP = "cgroup"
    ANON_ONLY = "anon-only"


Swappiness = int | OtherSwappiness


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


def _parse_flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise BadValueError(f"must be true or false, not {describe(value)}", hint="write true or false")
    return value


def _parse_delay(value: object) -> Duration:
    delay = parse_duration(value)
    if delay.duration_ms > MAX_DELAY_MS:
        raise BadValueError(
            f"{value} is too long", hint=f"the kernel delays a task for {MAX_DELAY_MS}ms at most"
        )
    return delay


def _parse_pass(value: object) -> Size:
    size = parse_size(value)
    if not MIN_PASS_BYTES <= size.size_bytes <= MAX_PASS_BYTES:
        raise BadValueError(f"{value} is no size for a pass", hint="a pass is from 4KiB to 16MiB")
    return size


def _parse_swappiness(value: object) -> Swappiness:
    if isinstance(value, str) and value in tuple(OtherSwappiness):
        return OtherSwappiness(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_SWAPPINESS:
        hint = f"write a number from 0 to {MAX_SWAPPINESS}, anon-only or cgroup"
        raise BadValueError(f"{shown(value)} is no swappiness", hint=hint)
    return value


def _parse_for(value: object) -> Duration:
    duration = parse_duration(value)
    if duration.duration_ms < MIN_FOR_MS:
        raise BadValueError(f"{value} is too short", hint=f"write {MIN_FOR_MS}ms or more")
    return duration


def _parse_file(value: object) -> Path:
    if not isinstance(value, str):
        raise BadValueError(f"must be the path of a file, not {describe(value)}")
    if not value.startswith("/") or "\0" in value:
        raise BadValueError(f"'{value}' is not the path of a file", hint="write it from / on")
    return Path(value)


def _parse_max_cgroups(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_MAX_CGROUPS:
        hint = f"write a whole number from 0 to {MAX_MAX_CGROUPS}"
        raise BadValueError(f"{shown(value)} is no number of cgroups", hint=hint)
    return value


AThreshold = Annotated[
    Threshold, _unless((Size, Percent), parse_threshold), shapes.THRESHOLD, Field(examples=["75%"])
]
AGlob = Annotated[Glob, _unless(Glob, parse_glob), shapes.GLOB]
ADuration = Annotated[Duration, _unless(Duration, parse_duration), shapes.DURATION]
AFile = Annotated[Path, _unless(Path, _parse_file), shapes.text("/.*")]
ADelay = Annotated[Duration, _unless(Duration, _parse_delay), shapes.DURATION]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Match(_Model):
    """Which cgroups a policy is for: those that a glob of include matches and none of exclude does."""

    include: Annotated[
        tuple[AGlob, ...],
        Field(
            description="Cgroup paths: * is any characters of one name, ** any number of levels.",
            examples=["[/batch.slice/*]"],
        ),
    ]
    exclude: Annotated[tuple[AGlob, ...], Field(description="Of those, the ones to leave alone.")] = ()

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


class Backoff(_Model):
    """The pauses after episodes that bring nothing: the first, and what they double up to."""

    first: Annotated[ADuration, Field(alias="from", description="The first pause.")] = Duration(10)
    most: Annotated[ADuration, Field(alias="to", description="What it doubles up to.")] = Duration(1000)

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.most.duration_ms < self.first.duration_ms:
            hint = "the pause grows from 'from' to 'to'"
            raise BadValueError("is shorter than from", hint=hint, at=("to",))
        return self


class Reclaim(_Model):
    """When background reclaim starts, how far it goes, and what it may cost.

    `stop` is as written; what the engine goes by is full_stop(), which has the defaults too.
    """

    start: Annotated[
        Combination | None,
        _unless(Combination, parse_start),
        shapes.START,
        Field(
            description="What an episode of reclaim starts for: a usage, a condition, or any or all of several.",
            examples=["75%"],
        ),
    ] = None
    stop: Annotated[
        Combination | None,
        _unless(Combination, parse_stop),
        shapes.STOP,
        Field(
            description="What ends it. Without it, what it started for has to have calmed down.",
            examples=["70%"],
        ),
    ] = None
    high_async: Annotated[
        AThreshold | None, Field(description="Short for a start at that usage with its default stop.")
    ] = None
    floor: Annotated[AThreshold | None, Field(description="Reclaim never takes usage below this.")] = None
    pass_size: Annotated[
        Annotated[Size, _unless(Size, _parse_pass), shapes.SIZE],
        Field(alias="pass", description="The most that one pass asks for, 4KiB to 16MiB."),
    ] = Size(1 << 20)
    rate: Annotated[
        Annotated[Size, _unless(Size, parse_byte_rate), shapes.BYTE_RATE] | None,
        Field(description="The most that is reclaimed in a second."),
    ] = None
    cpu: Annotated[
        Annotated[Fraction, _unless(Fraction, parse_share), shapes.SHARE] | None,
        Field(description="The most of one CPU that is spent on it in a second."),
    ] = None
    swappiness: Annotated[
        Swappiness,
        PlainValidator(_parse_swappiness),
        shapes.Shape({"anyOf": [shapes.number(0, MAX_SWAPPINESS).schema, {"enum": list(OtherSwappiness)}]}),
        Field(
            description="0 is as little swapping as possible, 200 as much, anon-only no file pages at all."
        ),
    ] = OtherSwappiness.CGROUP
    cooldown: Annotated[
        ADuration | None, Field(description="No episode begins for so long after the end of one.")
    ] = None
    backoff: Annotated[Backoff, Field(description="The pauses after episodes that bring nothing.")] = (
        Backoff()
    )

    @field_validator("high_async", "floor", "rate", "cpu", "cooldown", mode="before")
    @classmethod
    def _not_left_empty(cls, value: Any) -> Any:  # noqa: ANN401  whatever the file holds
        return _not_empty(value)

    @model_validator(mode="after")
    def _starts_in_one_way(self) -> Self:
        if self.high_async is None:
            if self.start is None:
                raise BadValueError("has no start", hint="add for example 'start: 75%'")
            return self
        for key, value in (("start", self.start), ("stop", self.stop)):
            if value is not None:
                hint = "high_async is short for a start with its default stop: write one or the other"
                raise BadValueError(f"stands beside high_async, which replaces {key}", hint=hint, at=(key,))
        return self

    @model_validator(mode="after")
    def _stop_below_start(self) -> Self:
        for stop in self.stop.conditions if self.stop else ():
            for start in self.full_start().conditions:
                if _same_measure(start, stop) and _amount(stop.bound) >= _amount(start.bound):
                    message = f"{_shown(stop)} is not below start, which is {_shown(start)}"
                    hint = "reclaim goes from start down to stop"
                    raise BadValueError(message, hint=hint, at=("stop", *stop.at))
        self.full_stop()
        return self

    def full_start(self) -> Combination:
        """Return what an episode starts for, high_async included."""
        if self.start is not None:
            return self.start
        # _starts_in_one_way() has seen to it that there is one.
        high = cast("Threshold", self.high_async)
        return Combination(((Condition(Metric.USAGE, high),),), any_of_all=True)

    def full_stop(self) -> Combination:
        """Return what an episode stops for: as written, and what that leaves out."""
        start = self.full_start()
        return default_stop(start) if self.stop is None else with_missing(self.stop, start)


class BackPressure(_Model):
    """From where on and by how much charging tasks are slowed down.

    The delay grows from nothing at `start` to `max_delay` at the cgroup's memory.max.
    """

    start: Annotated[AThreshold, Field(description="The usage from which on tasks wait.", examples=["90%"])]
    max_delay: Annotated[
        ADelay,
        Field(
            description="The longest that a charge waits, 1ms to 2s; it does at the limit.",
            examples=["100ms"],
        ),
    ]

    @model_validator(mode="after")
    def _start_below_limit(self) -> Self:
        if self.start == Percent(Fraction(_WHOLE_LIMIT)):
            message = "100% leaves no room between start and memory.max"
            raise BadValueError(message, hint="start below it, for example at 90%", at=("start",))
        return self


class Throttle(_Model):
    """Which cgroups wait, and for how long at each charge."""

    match: Annotated[Match, Field(description="The cgroups that wait.", examples=["/batch.slice/*"])]
    delay: Annotated[ADelay, Field(description="How long each charge waits, 1ms to 2s.", examples=["2s"])]


class Protect(_Model):
    """When a cgroup is spared by reclaim further up, and who waits meanwhile."""

    protect_as: Annotated[
        ProtectAs,
        PlainValidator(_parse_choice(ProtectAs)),
        shapes.choice(ProtectAs),
        Field(
            alias="as",
            description="As if it were within its memory.low or memory.min; none: only others wait.",
            examples=["low"],
        ),
    ]
    condition: Annotated[
        Combination,
        _unless(Combination, parse_start),
        shapes.START,
        Field(
            alias="while", description="What it is protected for: as start.", examples=["{pgfaults: 5000/s}"]
        ),
    ]
    for_time: Annotated[
        Annotated[Duration, _unless(Duration, _parse_for), shapes.DURATION],
        Field(alias="for", description="Protection goes on for so long after that, 100ms or more."),
    ] = Duration(2000)
    throttle: Annotated[
        tuple[Throttle, ...], Field(description="Who waits while the cgroup is protected.")
    ] = ()

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.protect_as is ProtectAs.NONE and not self.throttle:
            hint = "write as: low or as: min, or who is throttled meanwhile"
            raise BadValueError("none without throttle does nothing", hint=hint, at=("as",))
        return self


class Policy(_Model):
    """What is done for the cgroups that match."""

    name: Annotated[
        str,
        PlainValidator(_parse_name),
        shapes.text(_NAME.pattern),
        Field(description="What the policy is called in logs and metrics.", examples=["batch"]),
    ]
    match: Annotated[
        Match,
        Field(
            description="Which cgroups it is for: the most specific match wins.", examples=["/batch.slice/*"]
        ),
    ]
    mode: Annotated[
        Mode,
        PlainValidator(_parse_choice(Mode)),
        shapes.choice(Mode),
        Field(description="monitor decides and counts, and does nothing to the cgroups."),
    ] = Mode.ENFORCE
    on_missing: Annotated[
        OnMissing,
        PlainValidator(_parse_choice(OnMissing)),
        shapes.choice(OnMissing),
        Field(
            description="What becomes of it where the backend cannot do all of it; warn does without the rest."
        ),
    ] = OnMissing.REFUSE
    reclaim: Annotated[
        Reclaim | None,
        Field(description="When and how to reclaim in the background.", examples=["{start: 75%, stop: 70%}"]),
    ] = None
    back_pressure: Annotated[
        BackPressure | None, Field(description="Slow down tasks that outrun reclaim; needs reclaim.")
    ] = None
    protect: Annotated[
        Protect | None, Field(description="Spare the cgroup while it is at work, and have others wait.")
    ] = None

    @field_validator("reclaim", "back_pressure", "protect", mode="before")
    @classmethod
    def _not_left_empty(cls, value: Any) -> Any:  # noqa: ANN401  whatever the file holds
        return _not_empty(value)

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.reclaim is None and self.protect is None:
            hint = "add for example 'reclaim: {start: 75%, stop: 70%}'"
            if self.back_pressure:
                text = "needs reclaim: a task that waits for it would wait for nothing"
                raise BadValueError(text, hint=hint, at=("back_pressure",))
            raise BadValueError("has neither reclaim nor protect: it does nothing", hint=hint)
        return self

    @model_validator(mode="after")
    def _back_pressure_from_start_on(self) -> Self:
        start, pressure = usage_start(self.reclaim), self.back_pressure
        if start is None or pressure is None or not _comparable(pressure.start, start):
            return self
        if _amount(pressure.start) < _amount(start):
            message = f"{pressure.start} is below reclaim.start, which is {start}"
            hint = "delays are for when reclaim does not keep up: start them at or above reclaim.start"
            raise BadValueError(message, hint=hint, at=("back_pressure", "start"))
        return self


def usage_start(reclaim: Reclaim | None) -> Threshold | None:
    """Return the usage that reclaim starts at, if that is all it starts for."""
    if reclaim is None:
        return None
    conditions = reclaim.full_start().conditions
    bound = conditions[0].bound
    return bound if len(conditions) == 1 and isinstance(bound, Size | Percent) else None


class Tls(_Model):
    """PEM files: what metrics are served with, and who signs the certificates that clients have to show."""

    cert: Annotated[
        AFile, Field(description="The server's certificate.", examples=["/etc/reclaimd/metrics.pem"])
    ]
    key: Annotated[AFile, Field(description="Its private key.", examples=["/etc/reclaimd/metrics.key"])]
    client_ca: Annotated[
        AFile | None, Field(description="Who signs the certificates that clients have to show.")
    ] = None

    @field_validator("client_ca", mode="before")
    @classmethod
    def _not_left_empty(cls, value: Any) -> Any:  # noqa: ANN401  whatever the file holds
        return _not_empty(value)


class Metrics(_Model):
    """Where metrics are served, how, and of how many cgroups at most."""

    listen: Annotated[
        ListenAddress,
        _unless(ListenAddress, parse_listen),
        shapes.text(r"(\[[^\[\]]*\]|[^:]*):[0-9]{1,5}", "127.0.0.1:19765", "[::1]:19765"),
        Field(description="An IP address and a port."),
    ] = DEFAULT_LISTEN
    tls: Annotated[Tls | None, Field(description="Serve HTTPS.")] = None
    max_cgroups: Annotated[
        int,
        PlainValidator(_parse_max_cgroups),
        shapes.number(0, MAX_MAX_CGROUPS),
        Field(description="Of more governed cgroups than these there are no metrics."),
    ] = DEFAULT_MAX_CGROUPS

    @field_validator("tls", mode="before")
    @classmethod
    def _not_left_empty(cls, value: Any) -> Any:  # noqa: ANN401  whatever the file holds
        return _not_empty(value)


class Log(_Model):
    """How the daemon logs."""

    format: Annotated[
        LogFormat,
        PlainValidator(_parse_choice(LogFormat)),
        shapes.choice(LogFormat),
        Field(description="auto is console on a terminal and json elsewhere."),
    ] = LogFormat.AUTO
    level: Annotated[
        LogLevel,
        PlainValidator(_parse_choice(LogLevel)),
        shapes.choice(LogLevel),
        Field(description="The least important lines that are logged."),
    ] = LogLevel.INFO


class Config(_Model):
    """A whole configuration."""

    policies: Annotated[
        tuple[Policy, ...], Field(description="What is done for which cgroups.", examples=["[]"])
    ]
    backend: Annotated[
        BackendChoice,
        PlainValidator(_parse_choice(BackendChoice)),
        shapes.choice(BackendChoice),
        Field(
            description="What carries the policies out; auto is bpf on a patched kernel. Read at the start."
        ),
    ] = BackendChoice.AUTO
    keep_on_stop: Annotated[
        bool,
        PlainValidator(_parse_flag),
        shapes.FLAG,
        Field(description="Leave the rules at work in the kernel when the daemon is told to stop."),
    ] = False
    metrics: Annotated[Metrics, Field(description="Where and how metrics are served.")] = Metrics()
    log: Annotated[Log, Field(description="How the daemon logs.")] = Log()


def _not_empty(value: Any) -> Any:  # noqa: ANN401  whatever the file holds
    if value is None:
        raise BadValueError("is empty", hint="give it a value, or remove it")
    return value


def _same_measure(one: Condition, other: Condition) -> bool:
    alike = one.metric is other.metric and one.window == other.window
    return alike and _comparable(one.bound, other.bound)


def _comparable(one: object, other: object) -> bool:
    if isinstance(one, Percent) and isinstance(other, Percent):
        return one.base is other.base
    return type(one) is type(other)


def _amount(bound: Threshold | Duration | Fraction) -> Fraction:
    match bound:
        case Size(size_bytes):
            return Fraction(size_bytes)
        case Percent(percent):
            return percent
        case Duration(duration_ms):
            return Fraction(duration_ms)
        case _:
            return bound


def _shown(condition: Condition) -> str:
    bound = condition.bound
    return f"{float(bound):g}" if isinstance(bound, Fraction) else str(bound)
