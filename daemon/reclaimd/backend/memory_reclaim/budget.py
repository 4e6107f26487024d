# SPDX-License-Identifier: GPL-2.0-or-later
"""What may be reclaimed, and what CPU time may be spent on it, in each second."""

import math

from reclaimd.policy.rule import Reclaim

NS_PER_S = 1_000_000_000
#: Of one CPU, in a second.
NS_PER_PERMILLE = 1_000_000


class Budget:
    """What one cgroup has spent in the second that began last.

    No pass can be stopped in the middle: what a second that is over has spent too much, those since owe.
    """

    __slots__ = ("_cpu_ns", "_held", "_pages", "_started_ns")

    def __init__(self) -> None:
        self._started_ns = 0
        self._pages = 0
        self._cpu_ns = 0
        self._held = False

    def begin_second(self, reclaim: Reclaim, now_ns: int) -> None:
        """Begin another second if the last one is over."""
        seconds = (now_ns - self._started_ns) // NS_PER_S
        if seconds <= 0:
            return
        self._started_ns = now_ns
        self._pages = _owed(self._pages, reclaim.rate_pages_per_s, seconds)
        self._cpu_ns = _owed(self._cpu_ns, reclaim.cpu_permille * NS_PER_PERMILLE, seconds)
        self._held = False

    def pages_left(self, reclaim: Reclaim) -> float:
        """Return the pages that may still be reclaimed in this second; infinite without a rate."""
        if self.cpu_left_ns(reclaim) <= 0:
            return 0
        if not reclaim.rate_pages_per_s:
            return math.inf
        return max(reclaim.rate_pages_per_s - self._pages, 0)

    def cpu_left_ns(self, reclaim: Reclaim) -> float:
        """Return the CPU time that may still be spent in this second; infinite without a share."""
        return reclaim.cpu_permille * NS_PER_PERMILLE - self._cpu_ns if reclaim.cpu_permille else math.inf

    def wait_ns(self, now_ns: int) -> int:
        """Return how long it is to the next second."""
        return max(self._started_ns + NS_PER_S - now_ns, 1)

    def hold(self) -> bool:
        """Note that passes are put off; whether it is for the first time in this second."""
        first, self._held = not self._held, True
        return first

    def spend(self, pages: int, cpu_ns: int) -> None:
        """Count what a pass took."""
        self._pages += pages
        self._cpu_ns += cpu_ns


def _owed(spent: int, allowed: int, seconds: int) -> int:
    return max(spent - allowed * seconds, 0) if allowed else 0
