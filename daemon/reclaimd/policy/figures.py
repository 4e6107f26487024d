# SPDX-License-Identifier: GPL-2.0-or-later
"""A rule key by key: as text for people, as numbers for programs, and what its percentages come from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reclaimd.cgroup.facts import Memory
from reclaimd.cgroup.machine import Machine
from reclaimd.config import combination as config
from reclaimd.config.metric import PSI, Metric
from reclaimd.config.models import Mode, Policy
from reclaimd.config.units import Base, Percent, format_bytes
from reclaimd.policy.rule import (
    SWAPPINESS_ANON_ONLY,
    SWAPPINESS_OWN,
    BackPressure,
    Combination,
    Condition,
    Protect,
    Reclaim,
    Rule,
)
from reclaimd.policy.text import combination_text, condition_text, duration_text

_PERMILLE_PER_PERCENT = 10
_PAGES = {Metric.USAGE, Metric.SWAP_FREE, Metric.RECLAIMED}
_TIMES = PSI | {Metric.AFTER}


@dataclass(frozen=True, slots=True)
class Figure:
    """One key of a rule.

    Attributes:
        key: as in the configuration, such as "reclaim.start".
        value: what it comes to, with units.
        notes: where that comes from, such as "24MiB is 75% of memory.max, 32MiB".
    """

    key: str
    value: str
    notes: tuple[str, ...] = ()


class Figures:
    """Shows rules of one machine.

    Args:
        page_bytes: the machine's page size.
    """

    def __init__(self, page_bytes: int) -> None:
        self._page_bytes = page_bytes

    def of(self, rule: Rule, paths: Mapping[int, str]) -> tuple[Figure, ...]:
        """Return the figures of a rule, in the order of the configuration's keys.

        Args:
            rule: the rule.
            paths: those of the cgroups that it may be throttled for, by id.
        """
        return tuple(self._of(rule, paths))

    def bounds(self, reclaim: Reclaim) -> str:
        """Return what bounds reclaim, apart from defaults, in one line; "none" if nothing does."""
        plain = Reclaim(reclaim.start, reclaim.stop)
        texts = [
            f"{figure.key.removeprefix('reclaim.')} {figure.value}"
            for figure, default in zip(self._limits(reclaim), self._limits(plain), strict=True)
            if figure.value != default.value
        ]
        return ", ".join(texts) or "none"

    def back_pressure(self, pressure: BackPressure | None) -> str:
        """Return back-pressure in one line."""
        if pressure is None:
            return "none"
        return f"from {self.size(pressure.start_pages)}, up to {pressure.max_delay_ms}ms"

    def protect(self, protect: Protect | None) -> str:
        """Return protection in one line."""
        if protect is None:
            return "none"
        condition = combination_text(protect.condition, self._page_bytes)
        return f"as {protect.protect_as} while {condition}, and {duration_text(protect.for_ms)} longer"

    def throttles(self, rule: Rule, paths: Mapping[int, str]) -> tuple[str, ...]:
        """Return what a cgroup waits for, a text for each of its throttles."""
        return tuple(
            f"{throttle.delay_ms}ms a charge while {_named(throttle.protected_cgroup_id, paths)} is protected"
            for throttle in rule.throttles
        )

    def size(self, pages: int) -> str:
        """Return pages with a unit."""
        return format_bytes(pages * self._page_bytes)

    def _of(self, rule: Rule, paths: Mapping[int, str]) -> Iterator[Figure]:
        yield Figure("mode", _mode(rule.mode))
        if rule.reclaim:
            yield Figure("reclaim.start", combination_text(rule.reclaim.start, self._page_bytes))
            yield Figure("reclaim.stop", combination_text(rule.reclaim.stop, self._page_bytes))
            yield from self._limits(rule.reclaim)
        else:
            yield Figure("reclaim", "none")
        yield Figure("back_pressure", self.back_pressure(rule.back_pressure))
        yield Figure("protect", self.protect(rule.protect))
        yield Figure("throttled", "; ".join(self.throttles(rule, paths)) or "no")
        yield Figure("memory.max", "max" if rule.limit_pages is None else self.size(rule.limit_pages))

    def _limits(self, reclaim: Reclaim) -> Iterator[Figure]:
        yield Figure("reclaim.floor", self.size(reclaim.floor_pages) if reclaim.floor_pages else "none")
        yield Figure("reclaim.pass", self.size(reclaim.pass_pages))
        rate = reclaim.rate_pages_per_s
        yield Figure("reclaim.rate", f"{self.size(rate)}/s" if rate else "no limit")
        cpu = reclaim.cpu_permille
        yield Figure("reclaim.cpu", f"{cpu / _PERMILLE_PER_PERCENT:g}% of a CPU" if cpu else "no limit")
        yield Figure("reclaim.swappiness", _swappiness(reclaim.swappiness))
        cooldown = reclaim.cooldown_ms
        yield Figure("reclaim.cooldown", duration_text(cooldown) if cooldown else "none")
        least, most = duration_text(reclaim.backoff_min_ms), duration_text(reclaim.backoff_max_ms)
        yield Figure("reclaim.backoff", f"{least}, doubling up to {most}")


def rule_as_dict(rule: Rule, page_bytes: int, paths: Mapping[int, str]) -> dict[str, object]:
    """Return a rule as numbers, the unit in the name of each key; None where there is none.

    Args:
        rule: the rule.
        page_bytes: the machine's page size.
        paths: those of the cgroups that it may be throttled for, by id.
    """
    reclaim, pressure, protect = rule.reclaim, rule.back_pressure, rule.protect
    return {
        "mode": rule.mode.value,
        "limit_bytes": None if rule.limit_pages is None else rule.limit_pages * page_bytes,
        "reclaim": _reclaim_as_dict(reclaim, page_bytes) if reclaim else None,
        "back_pressure": {
            "start_bytes": pressure.start_pages * page_bytes,
            "full_bytes": pressure.full_pages * page_bytes,
            "max_delay_ms": pressure.max_delay_ms,
        }
        if pressure
        else None,
        "protect": {
            "as": protect.protect_as.value,
            "while": _combination_as_dict(protect.condition, page_bytes),
            "for_ms": protect.for_ms,
        }
        if protect
        else None,
        "throttles": [
            {"protected": paths.get(throttle.protected_cgroup_id), "delay_ms": throttle.delay_ms}
            for throttle in rule.throttles
        ],
    }


def _reclaim_as_dict(reclaim: Reclaim, page_bytes: int) -> dict[str, object]:
    return {
        "start": _combination_as_dict(reclaim.start, page_bytes),
        "stop": _combination_as_dict(reclaim.stop, page_bytes),
        "floor_bytes": reclaim.floor_pages * page_bytes,
        "pass_bytes": reclaim.pass_pages * page_bytes,
        "rate_bytes_per_s": reclaim.rate_pages_per_s * page_bytes or None,
        "cpu_percent": reclaim.cpu_permille / _PERMILLE_PER_PERCENT or None,
        "swappiness": {SWAPPINESS_OWN: "cgroup", SWAPPINESS_ANON_ONLY: "anon-only"}.get(
            reclaim.swappiness, reclaim.swappiness
        ),
        "cooldown_ms": reclaim.cooldown_ms,
        "backoff_from_ms": reclaim.backoff_min_ms,
        "backoff_to_ms": reclaim.backoff_max_ms,
    }


def _combination_as_dict(combination: Combination, page_bytes: int) -> dict[str, object]:
    """Return {"text", "any_of_all", "groups": lists of conditions}; see _condition_as_dict()."""
    return {
        "text": combination_text(combination, page_bytes),
        "any_of_all": combination.any_of_all,
        "groups": [
            [_condition_as_dict(condition, page_bytes) for condition in group] for group in combination.groups
        ],
    }


def _condition_as_dict(condition: Condition, page_bytes: int) -> dict[str, object]:
    """Return {"metric", "window_ms", and "bytes", "ns" (of stall, or of time) or "events" (in the window)}."""
    metric, bound = condition.metric, condition.bound
    what = {"metric": metric.value, "window_ms": condition.window_ms}
    if metric in _PAGES:
        return {**what, "bytes": bound * page_bytes}
    return {**what, ("ns" if metric in _TIMES else "events"): bound}


class Origins:
    """Says where the figures of one cgroup come from.

    Args:
        memory: the cgroup's.
        machine: what it is on.
        page_bytes: the machine's page size.
    """

    def __init__(self, memory: Memory, machine: Machine, page_bytes: int) -> None:
        self._machine = machine
        self._page_bytes = page_bytes
        self._bases = {
            Base.MEMORY_MAX: ("memory.max", memory.max_bytes),
            Base.MEMORY_HIGH: ("memory.high", memory.high_bytes),
            Base.MACHINE: ("the machine's memory", machine.memory_bytes),
        }

    def of(self, policy: Policy, rule: Rule) -> dict[str, tuple[str, ...]]:
        """Return the notes for each key of a rule that has some."""
        notes: dict[str, tuple[str, ...]] = {}
        given, made = policy.reclaim, rule.reclaim
        if given and made:
            notes["reclaim.start"] = self._conditions(given.full_start(), made.start)
            notes["reclaim.stop"] = self._conditions(given.full_stop(), made.stop)
            if isinstance(given.floor, Percent):
                notes["reclaim.floor"] = (self._share(given.floor),)
        if policy.back_pressure and isinstance(policy.back_pressure.start, Percent):
            notes["back_pressure"] = (self._share(policy.back_pressure.start),)
        if policy.protect and rule.protect:
            notes["protect"] = self._conditions(policy.protect.condition, rule.protect.condition)
        return notes

    def _conditions(self, given: config.Combination, made: Combination) -> tuple[str, ...]:
        # Both have the same conditions in the same order.
        pairs = zip(given.conditions, made.conditions, strict=True)
        return tuple(text for one, other in pairs if (text := self._condition(one, other)))

    def _condition(self, given: config.Condition, made: Condition) -> str | None:
        bound = given.bound
        origin = None
        if isinstance(bound, Percent):
            if given.metric is Metric.SWAP_FREE:
                swap = format_bytes(self._machine.swap_bytes)
                origin = f"{Percent(bound.percent)} of the machine's swap, {swap}"
            else:
                origin = self._share(bound)
        if not given.given:
            origin = f"a default; {origin}" if origin else "a default"
        return origin and f"{condition_text(made, self._page_bytes)}: {origin}"

    def _share(self, percent: Percent) -> str:
        name, base_bytes = self._bases[percent.base]
        return f"{Percent(percent.percent)} of {name}, {format_bytes(base_bytes or 0)}"


def _mode(mode: Mode) -> str:
    return "monitor: it decides and counts, and does nothing" if mode is Mode.MONITOR else mode.value


def _swappiness(swappiness: int) -> str:
    names = {SWAPPINESS_OWN: "the cgroup's own", SWAPPINESS_ANON_ONLY: "anonymous memory only"}
    return names.get(swappiness, str(swappiness))


def _named(cgroup_id: int, paths: Mapping[int, str]) -> str:
    return paths.get(cgroup_id, f"cgroup {cgroup_id}")
