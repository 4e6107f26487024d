# SPDX-License-Identifier: GPL-2.0-or-later
"""One policy and one cgroup to a rule, or to what is in the way of one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reclaimd.cgroup.facts import CgroupFacts, Memory
from reclaimd.cgroup.machine import Machine
from reclaimd.config import models as config
from reclaimd.config.metric import Metric
from reclaimd.config.units import format_bytes
from reclaimd.policy.bounds import Bounds
from reclaimd.policy.remark import CannotResolveError, KeyPath, Remark
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

_START = ("reclaim", "start")
_HIGH_ASYNC = ("reclaim", "high_async")
_STOP = ("reclaim", "stop")
_FLOOR = ("reclaim", "floor")
_PRESSURE = ("back_pressure",)
_PRESSURE_START = ("back_pressure", "start")
_WHILE = ("protect", "while")
_PERMILLE_PER_PERCENT = 10


@dataclass(frozen=True, slots=True)
class Limit:
    """The memory.max of a cgroup, in bytes."""

    path: str
    max_bytes: int


class RuleMaker:
    """Makes rules for one machine.

    Args:
        page_bytes: the machine's page size.
        machine: its memory and swap; an attribute too.
    """

    def __init__(self, page_bytes: int, machine: Machine) -> None:
        self.machine = machine
        self._page_bytes = page_bytes

    def rule(
        self, policy: config.Policy, facts: CgroupFacts, limits_above: Sequence[Limit]
    ) -> tuple[Rule, list[Remark]]:
        """Return the rule for a cgroup, without throttles, and what is odd about it.

        Args:
            policy: the policy that governs the cgroup.
            facts: what is known of the cgroup.
            limits_above: those of the cgroups that it is in.

        Raises:
            CannotResolveError: the policy cannot be carried out for this cgroup.
        """
        memory = require_memory(facts)
        bounds = Bounds(memory, self.machine, self._page_bytes)
        max_bytes = memory.max_bytes
        if max_bytes is not None:
            limits_above = [Limit(facts.path, max_bytes), *limits_above]
        remarks: list[Remark] = []
        reclaim, pressure = None, None
        if policy.reclaim:
            reclaim = self._reclaim(policy.reclaim, bounds)
            remarks += self._never_starts(reclaim, limits_above, facts.path, bounds)
            remarks += _ends_at_floor(reclaim, bounds)
        if policy.back_pressure:
            pressure, more = self._back_pressure(policy.back_pressure, reclaim, bounds)
            remarks += more
        rule = Rule(
            cgroup_id=facts.cgroup_id,
            path=facts.path,
            policy=policy.name,
            mode=policy.mode,
            reclaim=reclaim,
            back_pressure=pressure,
            protect=_protect(policy.protect, bounds),
            limit_pages=None if max_bytes is None else max_bytes // self._page_bytes,
        )
        return rule, remarks

    def _reclaim(self, given: config.Reclaim, bounds: Bounds) -> Reclaim:
        start_at = _START if given.start else _HIGH_ASYNC
        start = bounds.combination(given.full_start(), start_at)
        stop = bounds.combination(given.full_stop(), _STOP if given.stop else start_at, is_stop=True)
        if not given.stop:
            stop = _at_least_a_page_below(stop, start)
        _require_room_below(start, stop, start_at, bounds)
        _require_stop_below_start(start, stop, bounds)
        return Reclaim(
            start=start,
            stop=stop,
            floor_pages=bounds.pages(given.floor, _FLOOR) if given.floor else 0,
            pass_pages=max(1, given.pass_size.size_bytes // self._page_bytes),
            rate_pages_per_s=max(1, given.rate.size_bytes // self._page_bytes) if given.rate else 0,
            cpu_permille=max(1, int(given.cpu * _PERMILLE_PER_PERCENT)) if given.cpu else 0,
            swappiness=_swappiness(given.swappiness),
            cooldown_ms=given.cooldown.duration_ms if given.cooldown else 0,
            backoff_min_ms=given.backoff.first.duration_ms,
            backoff_max_ms=given.backoff.most.duration_ms,
        )

    def _back_pressure(
        self, pressure: config.BackPressure, reclaim: Reclaim | None, bounds: Bounds
    ) -> tuple[BackPressure | None, list[Remark]]:
        if bounds.memory.max_bytes is None:
            text = "the delay grows up to memory.max, but the cgroup has no memory.max"
            raise CannotResolveError(_PRESSURE, text, "set its memory.max, or remove back_pressure")
        limit_pages = bounds.memory.max_bytes // self._page_bytes
        start_pages = bounds.pages(pressure.start, _PRESSURE_START)
        reclaim_pages = reclaim.start.lowest_usage_pages if reclaim else None
        if reclaim_pages is not None and start_pages < reclaim_pages:
            text = (
                f"delays would start at {bounds.shown(start_pages)}, reclaim at {bounds.shown(reclaim_pages)}"
            )
            raise CannotResolveError(_PRESSURE_START, text, "start delays at or above reclaim.start")
        if start_pages >= limit_pages:
            text = (
                f"no charge is ever delayed: back_pressure.start is {bounds.shown(start_pages)}"
                f" and memory.max {bounds.shown(limit_pages)}"
            )
            return None, [Remark(_PRESSURE_START, text, "lower it below memory.max")]
        return BackPressure(start_pages, limit_pages, pressure.max_delay.duration_ms), []

    def _never_starts(
        self, reclaim: Reclaim, limits: Sequence[Limit], path: str, bounds: Bounds
    ) -> list[Remark]:
        start_pages = reclaim.start.lowest_usage_pages
        lowest = min(limits, key=lambda limit: limit.max_bytes, default=None)
        if start_pages is None or lowest is None or start_pages * self._page_bytes < lowest.max_bytes:
            return []
        if any(condition.metric is not Metric.USAGE for condition in reclaim.start.conditions):
            return []
        whose = "memory.max" if lowest.path == path else f"memory.max of {lowest.path}"
        text = (
            f"reclaim cannot start before the limit is hit: start is {bounds.shown(start_pages)}"
            f" and {whose} {format_bytes(lowest.max_bytes)}"
        )
        return [Remark(_START, text, "lower start or raise memory.max")]


def require_memory(facts: CgroupFacts) -> Memory:
    """Return a cgroup's memory.

    Raises:
        CannotResolveError: it has no memory controller.
    """
    if facts.memory is None:
        parent = facts.path.rpartition("/")[0]
        hint = f"write +memory to cgroup.subtree_control of {parent or 'the root cgroup'}"
        raise CannotResolveError(("match",), "the memory controller is not enabled for it", hint)
    return facts.memory


def _require_room_below(start: Combination, stop: Combination, start_at: KeyPath, bounds: Bounds) -> None:
    """Refuse a start of a single page, below which there is no usage to stop at."""
    if stop.lowest_usage_pages == 0 and start.lowest_usage_pages is not None:
        lowest = bounds.shown(start.lowest_usage_pages)
        text = f"{start_at[1]} is {lowest} in whole pages, below which there is no usage to stop at"
        raise CannotResolveError(start_at, text, "raise it to at least two pages")


def _require_stop_below_start(start: Combination, stop: Combination, bounds: Bounds) -> None:
    starts = [condition.bound for condition in start.conditions if condition.metric is Metric.USAGE]
    stops = [condition.bound for condition in stop.conditions if condition.metric is Metric.USAGE]
    if not starts or not stops:
        return
    # Of several starts each has a stop of its own: only the lowest can be compared.
    start_pages, stop_pages = min(starts), max(stops) if len(starts) == 1 else min(stops)
    if stop_pages < start_pages:
        return
    hint = "stop must be at least one page below start"
    if start_pages == 1:
        hint = f"raise start to at least two pages, so that there is room below: {hint}"
    text = f"stop is {bounds.shown(stop_pages)} and start {bounds.shown(start_pages)}, in whole pages"
    raise CannotResolveError(_STOP, text, hint)


def _at_least_a_page_below(stop: Combination, start: Combination) -> Combination:
    """Keep nine tenths of a few pages from being as many pages; a default stop has start's own groups."""
    groups = tuple(
        tuple(_below(*pair) for pair in zip(*pairs, strict=True))
        for pairs in zip(stop.groups, start.groups, strict=True)
    )
    return replace(stop, groups=groups)


def _below(stop: Condition, start: Condition) -> Condition:
    return replace(stop, bound=min(stop.bound, start.bound - 1)) if stop.metric is Metric.USAGE else stop


def _ends_at_floor(reclaim: Reclaim, bounds: Bounds) -> list[Remark]:
    stop_pages = reclaim.stop.lowest_usage_pages
    if stop_pages is None or reclaim.floor_pages <= stop_pages:
        return []
    floor, stop = bounds.shown(reclaim.floor_pages), bounds.shown(stop_pages)
    text = f"episodes end at the floor: it is {floor}, and stop {stop}"
    return [Remark(_FLOOR, text, "lower floor below stop, or raise stop")]


def _protect(given: config.Protect | None, bounds: Bounds) -> Protect | None:
    if given is None:
        return None
    condition = bounds.combination(given.condition, _WHILE)
    return Protect(given.protect_as, condition, given.for_time.duration_ms)


def _swappiness(given: config.Swappiness) -> int:
    if isinstance(given, config.OtherSwappiness):
        return SWAPPINESS_OWN if given is config.OtherSwappiness.CGROUP else SWAPPINESS_ANON_ONLY
    return given
