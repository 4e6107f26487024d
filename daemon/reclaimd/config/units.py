# SPDX-License-Identifier: GPL-2.0-or-later
"""Sizes, percentages and durations as administrators write them.

A number always carries its unit, and units of size are always the binary ones: what "24", "24M" or
"24MB" mean differs from program to program, so they are refused with the spelling that is meant.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from types import MappingProxyType

from reclaimd.config.bad_value import BadValueError, describe, shown

BYTES_BY_UNIT = MappingProxyType({"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40})
MS_BY_UNIT = MappingProxyType({"ms": 1, "s": 1000})
_MAX_DURATION_MS = 24 * 3600 * 1000

#: Spellings from elsewhere, in lower case, and the unit that is most likely meant.
_SIZE_UNIT_MEANT = MappingProxyType(
    dict.fromkeys(("b", "byte", "bytes"), "B")
    | dict.fromkeys(("k", "kb", "ki", "kib"), "KiB")
    | dict.fromkeys(("m", "mb", "mi", "mib"), "MiB")
    | dict.fromkeys(("g", "gb", "gi", "gib"), "GiB")
    | dict.fromkeys(("t", "tb", "ti", "tib"), "TiB")
)
_DURATION_UNIT_MEANT = MappingProxyType(
    dict.fromkeys(("ms", "msec", "msecs", "millisecond", "milliseconds"), "ms")
    | dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "s")
)

#: What a 64-bit kernel takes for a limit (PAGE_COUNTER_MAX) is a little less than this.
_MAX_BYTES = (1 << 63) - 1
_MAX_PERCENT = 100
#: More happens nowhere in a second, and a window of a minute of it still fits the kernel's numbers.
_MAX_RATE = 1_000_000_000

_QUANTITY = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,9})?) ?([A-Za-z]+|%)")
_NUMBER = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,9})?")
_SHARE_OF = re.compile(r"(.*%) +of +(.*)")
_PER_SECOND = re.compile(r"(.*[^ ]) ?/ ?s")


class Base(StrEnum):
    """What a percentage is of; memory.max and memory.high are the cgroup's own."""

    MEMORY_MAX = "memory.max"
    MEMORY_HIGH = "memory.high"
    MACHINE = "machine"


@dataclass(frozen=True, slots=True)
class Size:
    """An amount of memory in bytes, more than 0."""

    size_bytes: int

    def __str__(self) -> str:
        """Return the size with its unit."""
        return format_bytes(self.size_bytes)


@dataclass(frozen=True, slots=True)
class Percent:
    """A share of a limit of the cgroup or of the machine's memory, more than 0 % and at most 100 %."""

    percent: Fraction
    base: Base = Base.MEMORY_MAX

    def __str__(self) -> str:
        """Return the share with its percent sign."""
        of = "" if self.base is Base.MEMORY_MAX else f" of {self.base}"
        return f"{float(self.percent):g}%{of}"


@dataclass(frozen=True, slots=True)
class Duration:
    """A time of whole milliseconds, more than 0."""

    duration_ms: int


#: How much memory a cgroup uses when something is to happen.
Threshold = Size | Percent


def parse_threshold(value: object) -> Threshold:
    """Read "24MiB", "75%" or "75% of memory.high".

    Raises:
        BadValueError: the value is nothing of that.
    """
    base = Base.MEMORY_MAX
    if isinstance(value, str) and (share := _SHARE_OF.fullmatch(value)):
        value, base = share[1], _base(share[2])
    number, unit = _split(value, "a size or a percentage", "24MiB or 75%")
    if unit == "%":
        return Percent(_percent(number), base)
    return _size(number, unit, str(value))


def parse_size(value: object) -> Size:
    """Read "24MiB".

    Raises:
        BadValueError: the value is no size.
    """
    number, unit = _split(value, "a size", "1MiB")
    return _size(number, unit, str(value))


def parse_share(value: object, *, zero: bool = False) -> Fraction:
    """Read "10%" as 10, up to 100; 0 only if `zero` is set.

    Raises:
        BadValueError: the value is no such percentage.
    """
    number, unit = _split(value, "a percentage", "10%")
    if unit != "%":
        raise BadValueError(f"{value} is not a percentage", hint=f"write for example {number}%")
    if zero and Fraction(number) == 0:
        return Fraction(0)
    return _percent(number)


def parse_rate(value: object, *, zero: bool = False) -> Fraction:
    """Read "5000/s" as 5000; 0 only if `zero` is set.

    Raises:
        BadValueError: the value is no rate.
    """
    match = _PER_SECOND.fullmatch(value) if isinstance(value, str) else None
    if not match or not _NUMBER.fullmatch(match[1]):
        raise BadValueError(f"{_quoted(value)} is not a rate", hint="write for example 5000/s")
    rate = Fraction(match[1])
    if rate > _MAX_RATE or (rate == 0 and not zero):
        raise BadValueError(f"{value} is out of range", hint=f"a rate is above 0 and up to {_MAX_RATE}/s")
    return rate


def parse_byte_rate(value: object) -> Size:
    """Read "200MiB/s"; the size is that of each second.

    Raises:
        BadValueError: the value is no such rate.
    """
    match = _PER_SECOND.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise BadValueError(f"{_quoted(value)} is not a rate", hint="write for example 200MiB/s")
    return parse_size(match[1])


def parse_duration(value: object) -> Duration:
    """Read "100ms" or "1.5s".

    Raises:
        BadValueError: the value is no duration, or not one of whole milliseconds above 0.
    """
    number, unit = _split(value, "a duration", "100ms or 1s")
    if unit not in MS_BY_UNIT:
        raise _unknown_unit(unit, number, MS_BY_UNIT, _DURATION_UNIT_MEANT)
    duration_ms = Fraction(number) * MS_BY_UNIT[unit]
    if duration_ms.denominator != 1 or duration_ms == 0:
        raise BadValueError(
            f"{value} is not a whole number of milliseconds above 0", hint="write 1ms or more"
        )
    if duration_ms > _MAX_DURATION_MS:
        raise BadValueError(f"{value} is too long", hint=f"write {_MAX_DURATION_MS // 1000}s, a day, at most")
    return Duration(int(duration_ms))


def format_bytes(size_bytes: int) -> str:
    """Return a size in the largest unit that shows it exactly with at most three decimals."""
    for unit, unit_bytes in reversed(tuple(BYTES_BY_UNIT.items())):
        thousandths, rest = divmod(size_bytes * 1000, unit_bytes)
        if rest == 0 and size_bytes >= unit_bytes:
            whole, part = divmod(thousandths, 1000)
            decimals = f".{part:03}".rstrip("0") if part else ""
            return f"{whole}{decimals}{unit}"
    return f"{size_bytes}B"


def format_duration(duration: Duration) -> str:
    """Return for example "1.5s" or "100ms"."""
    ms = duration.duration_ms
    return f"{ms / 1000:g}s" if ms >= MS_BY_UNIT["s"] else f"{ms}ms"


def _split(value: object, kind: str, examples: str) -> tuple[str, str]:
    # A plain number reaches us as int or float; bool is an int to Python, but no number to anyone else.
    text = shown(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    if text is None:
        raise BadValueError(f"must be {kind}, not {describe(value)}", hint=f"write for example {examples}")
    if _NUMBER.fullmatch(text):
        raise BadValueError(
            f"{text} has no unit", hint=f"write the unit with the number, for example {examples}"
        )
    if not (match := _QUANTITY.fullmatch(text)):
        raise BadValueError(f"'{text}' is not {kind}", hint=f"write for example {examples}")
    return match[1], match[2]


def _base(name: str) -> Base:
    try:
        return Base(name)
    except ValueError:
        hint = f"a percentage is of {', '.join(Base)}"
        raise BadValueError(f"'{name}' is nothing to take a percentage of", hint=hint) from None


def _quoted(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else describe(value)


def _percent(number: str) -> Fraction:
    percent = Fraction(number)
    if not 0 < percent <= _MAX_PERCENT:
        raise BadValueError(f"{number}% is not a percentage above 0 and up to 100")
    return percent


def _size(number: str, unit: str, text: str) -> Size:
    if unit not in BYTES_BY_UNIT:
        raise _unknown_unit(unit, number, BYTES_BY_UNIT, _SIZE_UNIT_MEANT)
    size_bytes = Fraction(number) * BYTES_BY_UNIT[unit]
    if size_bytes.denominator != 1:
        raise BadValueError(f"{text} is not a whole number of bytes", hint=f"write {int(size_bytes)}B")
    if not 0 < size_bytes <= _MAX_BYTES:
        raise BadValueError(f"{text} is out of range", hint="a size is above 0 and below 8388608TiB")
    return Size(int(size_bytes))


def _unknown_unit(
    unit: str, number: str, units: MappingProxyType[str, int], meant: MappingProxyType[str, str]
) -> BadValueError:
    if likely := meant.get(unit.lower()):
        hint = f"write {number}{likely}"
        if likely in BYTES_BY_UNIT and likely != "B":
            hint += f" (1{likely} is {BYTES_BY_UNIT[likely]} bytes)"
    else:
        hint = f"the units are {', '.join(units)}"
    return BadValueError(f"'{unit}' is not a unit here", hint=hint)
