# SPDX-License-Identifier: GPL-2.0-or-later
"""Conditions as administrators write them, and how any and all join them.

The normal form has groups: either all conditions of any group must hold, or any condition of all
groups. A list without nesting is one group, so that only nested ones need more.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Any, TypeVar

from reclaimd.config.bad_value import BadValueError, describe, shown
from reclaimd.config.metric import Metric
from reclaimd.config.suggest import key_hint
from reclaimd.config.units import (
    Duration,
    Percent,
    Threshold,
    parse_duration,
    parse_rate,
    parse_share,
    parse_size,
    parse_threshold,
)

#: What a rule has room for in the kernel (RECLAIMD_MAX_CONDITIONS, RECLAIMD_MAX_GROUPS in bpf_src/reclaimd.h).
MAX_CONDITIONS = 8
MAX_GROUPS = 4

KeyPath = tuple[str | int, ...]
T = TypeVar("T")

PSI_WINDOW = Duration(2000)
PSI_WINDOWS_MS = (500, 60_000)
EVENTS_WINDOW = Duration(1000)
EVENTS_WINDOWS_MS = (100, 60_000)
RATE_WINDOW = Duration(1000)
MAX_EVENTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Condition:
    """One measurement against one bound.

    Attributes:
        metric: what is measured.
        bound: a Threshold for usage; a Size or a Percent of all swap for swap_free; a Size for reclaimed;
            a Duration for after; % of the window for psi; per second for pgfaults and refaults; a number
            in the window for events.
        window: how far back it is measured; None for what has a value at each moment.
        at: the keys that lead to it in the combination.
        given: whether an administrator wrote it, and not a default.
    """

    metric: Metric
    bound: Threshold | Duration | Fraction
    window: Duration | None = None
    at: KeyPath = ()
    given: bool = True


@dataclass(frozen=True, slots=True)
class Combination:
    """Conditions joined by any and all.

    Attributes:
        groups: the conditions; no group is empty.
        any_of_all: true if all conditions of any group must hold, false if any condition of all groups.
    """

    groups: tuple[tuple[Condition, ...], ...]
    any_of_all: bool

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All conditions, group by group."""
        return tuple(condition for group in self.groups for condition in group)


def parse_start(value: object) -> Combination:
    """Read what begins something: the conditions hold at their bounds and above.

    Raises:
        BadValueError: what is wrong, and where in the value.
    """
    return _Parser(is_stop=False).combination(value)


def parse_stop(value: object) -> Combination:
    """Read what ends an episode: the conditions hold at their bounds and below.

    Raises:
        BadValueError: what is wrong, and where in the value.
    """
    return _Parser(is_stop=True).combination(value)


def require_room(combination: Combination, at: KeyPath = ()) -> Combination:
    """Return the combination if a rule has room for it.

    Raises:
        BadValueError: it has too many conditions or groups.
    """
    if len(combination.conditions) > MAX_CONDITIONS:
        text = f"{len(combination.conditions)} conditions are too many"
        raise BadValueError(text, hint=f"use {MAX_CONDITIONS} at most", at=at)
    if len(combination.groups) > MAX_GROUPS:
        text = f"any and all join {len(combination.groups)} groups, which are too many"
        raise BadValueError(text, hint=f"use {MAX_GROUPS} at most", at=at)
    return combination


#: Unlike an empty value, which is a mistake.
_LEFT_OUT = object()
_OTHER_WORD = MappingProxyType({"any": "all", "all": "any"})


class _Parser:
    def __init__(self, *, is_stop: bool) -> None:
        self._is_stop = is_stop
        parsers: dict[str, Callable[[Any, KeyPath], Condition]] = {
            "usage": self._usage,
            "psi": self._psi,
            "pgfaults": self._pgfaults,
            "refaults": self._refaults,
            "events": self._events,
            "swap_free": self._swap_free,
        }
        if is_stop:
            parsers |= {"reclaimed": self._reclaimed, "after": self._after}
        self._parsers: Mapping[str, Callable[[Any, KeyPath], Condition]] = parsers

    def combination(self, value: object) -> Combination:
        if not isinstance(value, dict):
            return Combination(((self._usage(value, ()),),), any_of_all=True)
        word = self._word(value, ())
        if word is None:
            return Combination(((self._condition(value, ()),),), any_of_all=True)
        return require_room(self._joined(word, value[word]))

    def _joined(self, word: str, items: object) -> Combination:
        groups = [self._group(word, item, (word, place)) for place, item in enumerate(_list(items, (word,)))]
        if all(len(group) == 1 for group in groups):
            return Combination((tuple(group[0] for group in groups),), any_of_all=word == "all")
        return Combination(tuple(groups), any_of_all=word == "any")

    def _group(self, outer: str, item: object, at: KeyPath) -> tuple[Condition, ...]:
        if not isinstance(item, dict) or (word := self._word(item, at)) is None:
            return (self._condition(item, at),)
        if word == outer:
            hint = f"write its conditions directly in the outer '{word}'"
            raise BadValueError(f"'{word}' within '{word}' means nothing", hint=hint, at=(*at, word))
        inner = _list(item[word], (*at, word))
        return tuple(self._condition(each, (*at, word, place)) for place, each in enumerate(inner))

    def _word(self, value: dict[Any, Any], at: KeyPath) -> str | None:
        words = [word for word in _OTHER_WORD if word in value]
        if words and len(value) > 1:
            other = next(key for key in value if key != words[0])
            hint = f"put '{other}' into the list of '{words[0]}'"
            raise BadValueError(f"'{words[0]}' stands beside '{other}'", hint=hint, at=(*at, str(other)))
        return words[0] if words else None

    def _condition(self, value: object, at: KeyPath) -> Condition:
        if not isinstance(value, dict):
            return self._usage(value, at)
        if any(word in value for word in _OTHER_WORD):
            raise BadValueError("any and all can be nested once only", hint="split the policy in two", at=at)
        if len(value) != 1:
            hint = "join several by any or all, each with a '- ' of its own"
            raise BadValueError(f"a condition has one key, this one {len(value)}", hint=hint, at=at)
        ((key, bound),) = value.items()
        parse = self._parsers.get(key)
        if parse is None:
            raise BadValueError(f"unknown condition '{key}'", hint=self._hint(str(key)), at=(*at, str(key)))
        return parse(bound, (*at, key))

    def _hint(self, key: str) -> str:
        if key in {"reclaimed", "after"}:
            return "it belongs into stop: it is about an episode that runs"
        return key_hint(key, self._parsers)

    def _usage(self, value: object, at: KeyPath) -> Condition:
        return Condition(Metric.USAGE, _located(parse_threshold, value, at), at=at)

    def _psi(self, value: object, at: KeyPath) -> Condition:
        kind, bound, window = _one_of(value, {"some", "full"}, at, "{some: 10%, window: 2s}")
        share = _located(lambda text: parse_share(text, zero=self._is_stop), bound, (*at, kind))
        return Condition(
            Metric[f"PSI_{kind.upper()}"], share, _window(window, PSI_WINDOW, PSI_WINDOWS_MS, at), at
        )

    def _pgfaults(self, value: object, at: KeyPath) -> Condition:
        return Condition(Metric.PGFAULTS, self._rate(value, at), RATE_WINDOW, at)

    def _refaults(self, value: object, at: KeyPath) -> Condition:
        if not isinstance(value, dict):
            return Condition(Metric.REFAULTS, self._rate(value, at), RATE_WINDOW, at)
        kind, bound, _ = _one_of(value, {"anon", "file"}, at, "100/s or {anon: 100/s}", windowed=False)
        return Condition(Metric[f"REFAULTS_{kind.upper()}"], self._rate(bound, (*at, kind)), RATE_WINDOW, at)

    def _events(self, value: object, at: KeyPath) -> Condition:
        kind, number, window = _one_of(value, {"high", "max", "oom"}, at, "{max: 1, window: 1s}")
        least = 0 if self._is_stop else 1
        if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= MAX_EVENTS:
            hint = f"write a whole number from {least} to {MAX_EVENTS}"
            raise BadValueError(f"{shown(number)} is no number of events", hint=hint, at=(*at, kind))
        window_of = _window(window, EVENTS_WINDOW, EVENTS_WINDOWS_MS, at)
        return Condition(Metric[f"EVENTS_{kind.upper()}"], Fraction(number), window_of, at)

    def _swap_free(self, value: object, at: KeyPath) -> Condition:
        if isinstance(value, str) and value.endswith("%"):
            return Condition(Metric.SWAP_FREE, Percent(_located(parse_share, value, at)), at=at)
        return Condition(Metric.SWAP_FREE, _located(parse_size, value, at), at=at)

    def _reclaimed(self, value: object, at: KeyPath) -> Condition:
        return Condition(Metric.RECLAIMED, _located(parse_size, value, at), at=at)

    def _after(self, value: object, at: KeyPath) -> Condition:
        return Condition(Metric.AFTER, _located(parse_duration, value, at), at=at)

    def _rate(self, value: object, at: KeyPath) -> Fraction:
        return _located(lambda text: parse_rate(text, zero=self._is_stop), value, at)


def _list(value: object, at: KeyPath) -> list[Any]:
    if not isinstance(value, list) or not value:
        what = "an empty list" if isinstance(value, list) else describe(value)
        raise BadValueError(
            f"must be a list of conditions, but is {what}", hint="write them as '- ' lines", at=at
        )
    return value


def _located(parse: Callable[[object], T], value: object, at: KeyPath) -> T:
    try:
        return parse(value)
    except BadValueError as error:
        raise BadValueError(error.message, hint=error.hint, at=at) from None


def _one_of(
    value: object, kinds: set[str], at: KeyPath, example: str, *, windowed: bool = True
) -> tuple[str, object, object]:
    """Return which of some keys a mapping has, its value, and that of its key window."""
    hint = f"write for example {example}"
    if not isinstance(value, dict):
        raise BadValueError(f"must be a mapping, but is {describe(value)}", hint=hint, at=at)
    known = kinds | ({"window"} if windowed else set())
    for key in value:
        if key not in known:
            raise BadValueError(
                f"unknown key '{key}'", hint=key_hint(str(key), sorted(known)), at=(*at, str(key))
            )
    named = [kind for kind in value if kind in kinds]
    if len(named) != 1:
        raise BadValueError(f"must have one of {', '.join(sorted(kinds))}", hint=hint, at=at)
    return named[0], value[named[0]], value.get("window", _LEFT_OUT)


def _window(value: object, default: Duration, range_ms: tuple[int, int], at: KeyPath) -> Duration:
    if value is _LEFT_OUT:
        return default
    window = _located(parse_duration, value, (*at, "window"))
    least_ms, most_ms = range_ms
    if not least_ms <= window.duration_ms <= most_ms:
        hint = f"a window is from {least_ms}ms to {most_ms // 1000}s"
        raise BadValueError(f"{value} is no length for a window", hint=hint, at=(*at, "window"))
    return window
