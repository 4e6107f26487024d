# SPDX-License-Identifier: GPL-2.0-or-later
"""What metrics say of a governed cgroup for as long as its rule stays the same: made once, as scrapes are many."""

from collections.abc import Mapping
from dataclasses import dataclass
from mmap import PAGESIZE as PAGE_BYTES
from typing import Self

from reclaimd.backend.base import StartReason, StopReason
from reclaimd.config.models import Mode
from reclaimd.policy.rule import Rule


@dataclass(frozen=True, slots=True)
class Subject:
    """A governed cgroup.

    Attributes:
        rule: what governs it.
        labels: its labels, as they are written between braces.
        starts: what can begin an episode, at 0 times.
        ends: why its episodes can be expected to end, at 0 times.
        start_bytes, stop_bytes: the lowest usages that start and stop compare with, if they do.
        floor_bytes, back_pressure_bytes, limit_bytes: likewise, if it has them.
    """

    rule: Rule
    labels: str
    starts: Mapping[StartReason, int]
    ends: Mapping[StopReason, int]
    start_bytes: int | None
    stop_bytes: int | None
    floor_bytes: int | None
    back_pressure_bytes: int | None
    limit_bytes: int | None

    @classmethod
    def of(cls, rule: Rule) -> Self:
        """Make it from a rule."""
        reclaim, pressure = rule.reclaim, rule.back_pressure
        return cls(
            rule,
            f'cgroup="{escaped(rule.path)}",policy="{rule.policy}"',
            _starts(rule),
            _ends(rule),
            _bytes(reclaim.start.lowest_usage_pages) if reclaim else None,
            _bytes(reclaim.stop.lowest_usage_pages) if reclaim else None,
            _bytes(reclaim.floor_pages or None) if reclaim else None,
            _bytes(pressure.start_pages) if pressure else None,
            _bytes(rule.limit_pages),
        )


def escaped(text: str) -> str:
    """Return a label's value as it is written between quotes."""
    # A name in cgroupfs is bytes; what is no UTF-8 in it must not break the text.
    readable = text.encode("utf-8", "backslashreplace").decode()
    return readable.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _bytes(pages: int | None) -> int | None:
    return None if pages is None else pages * PAGE_BYTES


def _starts(rule: Rule) -> Mapping[StartReason, int]:
    if rule.reclaim is None:
        return {}
    return {StartReason[condition.metric.name]: 0 for condition in rule.reclaim.start.conditions}


def _ends(rule: Rule) -> Mapping[StopReason, int]:
    # A cgroup that has gone has no metrics any more, so this is no reason to be seen.
    if rule.reclaim is None:
        return {}
    if rule.mode is Mode.MONITOR:
        return {StopReason.MONITORED: 0}
    reasons = [StopReason[condition.metric.name] for condition in rule.reclaim.stop.conditions]
    if rule.reclaim.floor_pages:
        reasons.append(StopReason.FLOOR)
    return dict.fromkeys([*reasons, StopReason.NO_PROGRESS], 0)
