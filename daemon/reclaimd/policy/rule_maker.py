# SPDX-License-Identifier: GPL-2.0-or-later
"""One policy and one cgroup's facts to a rule, or to what is in the way of one."""

from collections.abc import Sequence
from dataclasses import dataclass

from reclaimd.cgroup.facts import CgroupFacts
from reclaimd.config.models import Policy
from reclaimd.config.units import Size, Threshold, format_bytes
from reclaimd.policy.rule import BackPressure, Rule

_START = ("reclaim", "start")
_STOP = ("reclaim", "stop")
_PRESSURE = ("back_pressure",)
_PRESSURE_START = ("back_pressure", "start")


@dataclass(frozen=True, slots=True)
class Remark:
    """What an administrator should know; `at` are the keys below the policy that it is about."""

    at: tuple[str, ...]
    text: str
    hint: str


class CannotResolveError(Exception):
    """The policy cannot be carried out for this cgroup."""

    def __init__(self, at: tuple[str, ...], text: str, hint: str) -> None:
        super().__init__(text)
        self.remark = Remark(at, text, hint)


@dataclass(frozen=True, slots=True)
class Limit:
    """The memory.max of a cgroup, in bytes."""

    path: str
    max_bytes: int


class RuleMaker:
    """Makes rules for one size of page.

    Thresholds are rounded down to whole pages, as the kernel does with what is written to memory.max.
    """

    def __init__(self, page_bytes: int) -> None:
        self._page_bytes = page_bytes

    def rule(
        self, policy: Policy, facts: CgroupFacts, limits_above: Sequence[Limit]
    ) -> tuple[Rule, list[Remark]]:
        """Return the rule for a cgroup and what is odd about it.

        Args:
            policy: the policy that governs the cgroup.
            facts: what is known of the cgroup.
            limits_above: those of the cgroups that it is in.

        Raises:
            CannotResolveError: the policy cannot be carried out for this cgroup.
        """
        if facts.memory is None:
            parent = facts.path.rpartition("/")[0]
            hint = f"write +memory to cgroup.subtree_control of {parent or 'the root cgroup'}"
            raise CannotResolveError(("match",), "the memory controller is not enabled for it", hint)
        max_bytes = facts.memory.max_bytes
        limit_pages = None if max_bytes is None else max_bytes // self._page_bytes
        start_pages, stop_pages = self._start_and_stop(policy, limit_pages)
        back_pressure, remarks = self._back_pressure(policy, start_pages, limit_pages)
        if max_bytes is not None:
            limits_above = [Limit(facts.path, max_bytes), *limits_above]
        rule = Rule(
            cgroup_id=facts.cgroup_id,
            path=facts.path,
            policy=policy.name,
            start_pages=start_pages,
            stop_pages=stop_pages,
            back_pressure=back_pressure,
            limit_pages=limit_pages,
        )
        return rule, [*self._never_starts(start_pages, limits_above, facts.path), *remarks]

    def _start_and_stop(self, policy: Policy, limit_pages: int | None) -> tuple[int, int]:
        start_pages = self._pages(policy.reclaim.start, limit_pages, _START)
        stop_pages = self._pages(policy.reclaim.stop, limit_pages, _STOP)
        if stop_pages >= start_pages:
            raise CannotResolveError(
                _STOP,
                f"stop is {self._shown(stop_pages)} and start {self._shown(start_pages)}, in whole pages",
                "stop must be at least one page below start",
            )
        return start_pages, stop_pages

    def _pages(self, threshold: Threshold, limit_pages: int | None, at: tuple[str, ...]) -> int:
        if isinstance(threshold, Size):
            pages = threshold.size_bytes // self._page_bytes
        elif limit_pages is None:
            text = f"{at[-1]} is {threshold} of memory.max, but the cgroup has no memory.max"
            raise CannotResolveError(
                at, text, f"set its memory.max, or write {at[-1]} as a size such as 24MiB"
            )
        else:
            pages = int(limit_pages * threshold.percent / 100)
        if pages == 0:
            text = f"{at[-1]} is {threshold}, which is less than one page of {format_bytes(self._page_bytes)}"
            raise CannotResolveError(at, text, "raise it to at least one page")
        return pages

    def _back_pressure(
        self, policy: Policy, reclaim_pages: int, limit_pages: int | None
    ) -> tuple[BackPressure | None, list[Remark]]:
        pressure = policy.back_pressure
        if pressure is None:
            return None, []
        if limit_pages is None:
            text = "the delay grows up to memory.max, but the cgroup has no memory.max"
            raise CannotResolveError(_PRESSURE, text, "set its memory.max, or remove back_pressure")
        start_pages = self._pages(pressure.start, limit_pages, _PRESSURE_START)
        if start_pages < reclaim_pages:
            text = (
                f"delays would start at {self._shown(start_pages)}, reclaim at {self._shown(reclaim_pages)}"
            )
            raise CannotResolveError(_PRESSURE_START, text, "start delays at or above reclaim.start")
        if start_pages >= limit_pages:
            text = (
                f"no charge is ever delayed: back_pressure.start is {self._shown(start_pages)}"
                f" and memory.max {self._shown(limit_pages)}"
            )
            return None, [Remark(_PRESSURE_START, text, "lower it below memory.max")]
        return BackPressure(start_pages, limit_pages, pressure.max_delay.duration_ms), []

    def _never_starts(self, start_pages: int, limits: Sequence[Limit], path: str) -> list[Remark]:
        lowest = min(limits, key=lambda limit: limit.max_bytes, default=None)
        if lowest is None or start_pages * self._page_bytes < lowest.max_bytes:
            return []
        whose = "memory.max" if lowest.path == path else f"memory.max of {lowest.path}"
        text = (
            f"reclaim cannot start before the limit is hit: start is {self._shown(start_pages)}"
            f" and {whose} {format_bytes(lowest.max_bytes)}"
        )
        return [Remark(_START, text, "lower start or raise memory.max")]

    def _shown(self, pages: int) -> str:
        return format_bytes(pages * self._page_bytes)
