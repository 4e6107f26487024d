# SPDX-License-Identifier: GPL-2.0-or-later
"""What happened under one rule, counted."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

from reclaimd.backend.base import TIME_BOUNDS_NS, Counters, StartReason, StopReason, Times
from reclaimd.cgroup.reading import Reading


class Histogram:
    """Times that grow by one with each thing that takes its time."""

    __slots__ = ("_buckets", "_sum_ns")

    def __init__(self) -> None:
        self._sum_ns = 0
        self._buckets = [0] * (len(TIME_BOUNDS_NS) + 1)

    def count(self, took_ns: int) -> None:
        """Count one more."""
        self._buckets[bisect_left(TIME_BOUNDS_NS, took_ns)] += 1
        self._sum_ns += took_ns

    def times(self) -> Times:
        """Return what was counted so far."""
        return Times(self._sum_ns, tuple(self._buckets))


@dataclass(slots=True)
class Tally:
    """The numbers of reclaimd.backend.base.Counters while they grow, as far as this backend has them."""

    triggers: int = 0
    episodes: int = 0
    passes: int = 0
    pages_asked: int = 0
    pages_reclaimed: int = 0
    reclaim_ns: int = 0
    reclaim_cpu_ns: int = 0
    give_ups: int = 0
    held_back: int = 0
    ticks: int = 0
    swapless: int = 0
    started_for: Counter[StartReason] = field(default_factory=Counter)
    ended_for: Counter[StopReason] = field(default_factory=Counter)
    durations: Histogram = field(default_factory=Histogram)
    first_passes: Histogram = field(default_factory=Histogram)
    first_pages: Histogram = field(default_factory=Histogram)

    def counters(self, reading: Reading | None) -> Counters:
        """Return what was counted so far, with what the cgroup's own accounts say."""
        return Counters(
            triggers=self.triggers,
            episodes=self.episodes,
            passes=self.passes,
            pages_asked=self.pages_asked,
            pages_reclaimed=self.pages_reclaimed,
            reclaim_ns=self.reclaim_ns,
            reclaim_cpu_ns=self.reclaim_cpu_ns,
            give_ups=self.give_ups,
            held_back=self.held_back,
            ticks=self.ticks,
            swapless=self.swapless,
            started_for=dict(self.started_for),
            ended_for=dict(self.ended_for),
            durations=self.durations.times(),
            first_passes=self.first_passes.times(),
            first_pages=self.first_pages.times(),
            reading=reading,
        )
