# SPDX-License-Identifier: GPL-2.0-or-later
"""A rule with what follows from it, worked out once."""

from bisect import bisect_right
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from enum import Flag, auto

from reclaimd.backend.memory_reclaim.conditions import NS_PER_MS
from reclaimd.config.metric import Metric
from reclaimd.config.models import Mode
from reclaimd.policy.rule import Combination, Condition, Reclaim, Rule

#: No usage reaches it.
NEVER_PAGES = 1 << 64

#: What is measured, apart from usage, is so no more often than this,
MIN_TICK_NS = 50 * NS_PER_MS
MAX_TICK_NS = 1000 * NS_PER_MS
#: and than so many times in the shortest window that it is measured over.
TICKS_PER_WINDOW = 4
#: Of the way to the limit.
_SLACK_PART = 8
#: Free swap has no window.
_SWAP_TICK_NS = 250 * NS_PER_MS


class Source(Flag):
    """Where measurements are read, apart from memory.current."""

    STAT = auto()
    EVENTS = auto()
    PRESSURE = auto()
    SWAP = auto()


NO_SOURCE = Source(0)

_SOURCES = {
    Metric.PSI_SOME: Source.PRESSURE,
    Metric.PSI_FULL: Source.PRESSURE,
    Metric.PGFAULTS: Source.STAT,
    Metric.REFAULTS: Source.STAT,
    Metric.REFAULTS_ANON: Source.STAT,
    Metric.REFAULTS_FILE: Source.STAT,
    Metric.EVENTS_HIGH: Source.EVENTS,
    Metric.EVENTS_MAX: Source.EVENTS,
    Metric.EVENTS_OOM: Source.EVENTS,
    Metric.SWAP_FREE: Source.SWAP,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How one rule is carried out.

    Attributes:
        rule: the rule.
        reclaim: its part that reclaims; None where it does not.
        monitored: it only watches.
        wake_pages: at a usage below this, start cannot hold.
        marks: this and other usages that start compares with, the lowest first.
        slack_pages: how far above them usage may well be when it is seen: a part of the way to the limit.
        aim_pages: passes need not go below this: the lowest usage in stop.
        start_sources, stop_sources: what has to be read for the conditions of start, and of stop.
        start_tick_ns, stop_tick_ns: how often that is read while something goes on.
        conditions: what of the conditions decides what their windows hold; bounds on usage do not.
    """

    rule: Rule
    reclaim: Reclaim | None
    monitored: bool
    wake_pages: int
    marks: tuple[int, ...]
    slack_pages: int
    aim_pages: int
    start_sources: Source
    stop_sources: Source
    start_tick_ns: int
    stop_tick_ns: int
    conditions: Hashable

    def next_mark(self, usage_pages: int) -> int | None:
        """Return the next usage above one that means anything to start; None above the last."""
        place = bisect_right(self.marks, usage_pages)
        return self.marks[place] if place < len(self.marks) else None


def plan(rule: Rule) -> Plan:
    """Work out how to carry out a rule."""
    reclaim = rule.reclaim
    start = reclaim.start.conditions if reclaim else ()
    stop = reclaim.stop.conditions if reclaim else ()
    wake_pages = reclaim.start.holds_from_pages if reclaim else NEVER_PAGES
    marks = {wake_pages, *(c.bound for c in start if c.metric is Metric.USAGE)}
    return Plan(
        rule=rule,
        reclaim=reclaim,
        monitored=rule.mode is Mode.MONITOR,
        wake_pages=wake_pages,
        marks=tuple(sorted(marks)),
        slack_pages=max((rule.limit_pages or 0) - max(marks), 0) // _SLACK_PART,
        aim_pages=(reclaim.stop.lowest_usage_pages or 0) if reclaim else 0,
        start_sources=_sources(start),
        stop_sources=_sources(stop),
        start_tick_ns=_tick_ns(start),
        stop_tick_ns=_tick_ns(stop),
        conditions=(_measured(start), _measured(stop)),
    )


def starts(of: Plan) -> Combination | None:
    """Return what begins an episode; None where nothing does."""
    return of.reclaim.start if of.reclaim else None


def _sources(conditions: Iterable[Condition]) -> Source:
    sources = NO_SOURCE
    for condition in conditions:
        sources |= _SOURCES.get(condition.metric, NO_SOURCE)
    return sources


def _tick_ns(conditions: Iterable[Condition]) -> int:
    ticks_ns = [
        condition.window_ms * NS_PER_MS // TICKS_PER_WINDOW for condition in conditions if condition.window_ms
    ]
    return min(max(min(ticks_ns, default=_SWAP_TICK_NS), MIN_TICK_NS), MAX_TICK_NS)


def _measured(conditions: Iterable[Condition]) -> Hashable:
    return tuple((c.metric, c.window_ms, 0 if c.metric is Metric.USAGE else c.bound) for c in conditions)
