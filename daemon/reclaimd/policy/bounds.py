# SPDX-License-Identifier: GPL-2.0-or-later
"""Thresholds and conditions in the numbers that the kernel compares, for one cgroup on one machine."""

import math
from dataclasses import dataclass
from fractions import Fraction

from reclaimd.cgroup.facts import Memory
from reclaimd.cgroup.machine import Machine
from reclaimd.config import combination as config
from reclaimd.config.metric import PSI, Metric
from reclaimd.config.units import Base, Duration, Percent, Size, Threshold, format_bytes
from reclaimd.policy.remark import CannotResolveError, KeyPath
from reclaimd.policy.rule import Combination, Condition

_NS_PER_MS = 1_000_000
_MS_PER_S = 1000
_EVENTS = {Metric.EVENTS_HIGH, Metric.EVENTS_MAX, Metric.EVENTS_OOM}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Resolves what a policy says for one cgroup.

    Thresholds are rounded down to whole pages, as the kernel does with what is written to memory.max.

    Attributes:
        memory: the cgroup's.
        machine: what it is on.
        page_bytes: the machine's page size.
    """

    memory: Memory
    machine: Machine
    page_bytes: int

    def combination(self, given: config.Combination, at: KeyPath, *, is_stop: bool = False) -> Combination:
        """Resolve a combination; `at` are the keys that lead to it.

        Raises:
            CannotResolveError: one of its percentages is of something that there is not.
        """
        groups = tuple(
            tuple(self.condition(condition, at, is_stop=is_stop) for condition in group)
            for group in given.groups
        )
        return Combination(groups, given.any_of_all)

    def condition(self, given: config.Condition, at: KeyPath, *, is_stop: bool) -> Condition:
        """Resolve one condition; raises CannotResolveError as combination() does."""
        window_ms = given.window.duration_ms if given.window else 0
        bound, place = given.bound, (*at, *given.at)
        if isinstance(bound, Duration):
            return Condition(given.metric, bound.duration_ms * _NS_PER_MS)
        if isinstance(bound, Fraction):
            number = _number(given.metric, bound, window_ms)
            # To the side that keeps a stop below its start.
            whole = math.floor(number) if is_stop else max(1, math.ceil(number))
            return Condition(given.metric, whole, window_ms)
        if given.metric is Metric.SWAP_FREE:
            least = 0 if is_stop else 1
            return Condition(given.metric, max(least, self._swap_pages(bound, place)))
        # What nobody wrote, nobody can be asked to raise: whoever makes the rule says what is in the way.
        pages = self.pages(bound, place) if given.given else self._whole_pages(bound, place)
        return Condition(given.metric, pages)

    def pages(self, threshold: Threshold, at: KeyPath) -> int:
        """Resolve an amount of memory to pages; `at` begins with a section of the policy and a key in it.

        Raises:
            CannotResolveError: it is a percentage of a limit that there is not, or less than a page.
        """
        name = str(at[1])
        pages = self._whole_pages(threshold, at)
        if pages == 0:
            text = f"{name} is {threshold}, which is less than one page of {format_bytes(self.page_bytes)}"
            raise CannotResolveError(at, text, "raise it to at least one page")
        return pages

    def shown(self, pages: int) -> str:
        """Return pages as an administrator would write them."""
        return format_bytes(pages * self.page_bytes)

    def _whole_pages(self, threshold: Threshold, at: KeyPath) -> int:
        if isinstance(threshold, Size):
            return threshold.size_bytes // self.page_bytes
        name = str(at[1])
        base_bytes = {
            Base.MEMORY_MAX: self.memory.max_bytes,
            Base.MEMORY_HIGH: self.memory.high_bytes,
            Base.MACHINE: self.machine.memory_bytes,
        }[threshold.base]
        if base_bytes is None:
            share = Percent(threshold.percent)
            text = f"{name} is {share} of {threshold.base}, but the cgroup has no {threshold.base}"
            hint = f"set its {threshold.base}, or write {name} as a size such as 24MiB"
            raise CannotResolveError(at, text, hint)
        return int(base_bytes // self.page_bytes * threshold.percent / 100)

    def _swap_pages(self, bound: Threshold, at: KeyPath) -> int:
        if isinstance(bound, Size):
            return bound.size_bytes // self.page_bytes
        if not self.machine.swap_bytes:
            text = f"swap_free is {bound} of the machine's swap, but it has none"
            raise CannotResolveError(at, text, "add swap, or leave the condition out")
        return int(self.machine.swap_bytes // self.page_bytes * bound.percent / 100)


def _number(metric: Metric, bound: Fraction, window_ms: int) -> Fraction:
    """Return ns of stall, or a number of events, in the window."""
    if metric in PSI:
        return bound / 100 * window_ms * _NS_PER_MS
    return bound if metric in _EVENTS else bound * window_ms / _MS_PER_S
