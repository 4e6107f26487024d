# SPDX-License-Identifier: GPL-2.0-or-later
"""How often a cgroup is looked at, and how much all looking may cost."""

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000

#: Between two looks at a cgroup.
MIN_NS = NS_PER_MS
MAX_NS = NS_PER_S
#: As if usage grew by so much more than it has.
AHEAD = 1.25
#: How fast it has grown counts for half after so long.
HALF_LIFE_NS = 700 * NS_PER_MS

#: Of one CPU, all looking may take so much for each hundred cgroups, and for the first of them.
SHARE = 0.008
CGROUPS_PER_SHARE = 100
#: What was not taken for so long can be taken at once: cgroups are idle most of the time, and then all at once not.
SAVED_NS = 30 * NS_PER_S


class Pace:
    """When to look at one cgroup again: before its usage can have grown to what matters, going by how it did lately.

    One that has not grown for long is looked at ever less often.
    """

    __slots__ = ("_changed", "_delay_ns", "_looked_ns", "_rate", "_usage_pages")

    def __init__(self) -> None:
        self._usage_pages = 0
        self._looked_ns: int | None = None
        self._changed = False
        self._delay_ns = MIN_NS
        #: Pages in a ns: the fastest of late.
        self._rate = 0.0

    def hurry(self) -> None:
        """Look closely again: something has happened."""
        self._delay_ns = MIN_NS

    def grew(self, pages: int, took_ns: int) -> None:
        """Take into account that so much was charged while nobody looked, which nobody is to look back on."""
        self._rate = max(self._rate, pages / max(took_ns, 1))
        self._looked_ns = None

    def saw(self, usage_pages: int, now_ns: int) -> None:
        """Take a look into account."""
        grown_pages = usage_pages - self._usage_pages
        looked_ns, self._looked_ns = self._looked_ns, now_ns
        self._usage_pages = usage_pages
        self._changed = bool(grown_pages)
        if looked_ns is not None and (grown_pages > 0 or self._rate):
            took_ns = max(now_ns - looked_ns, 1)
            self._rate = max(self._rate * 0.5 ** (took_ns / HALF_LIFE_NS), grown_pages / took_ns)

    def delay_ns(self, far_pages: int | None) -> int:
        """Return how long to wait before the next look, going by the last one.

        Args:
            far_pages: the usage that matters; None: none that is not reached already, and changes alone decide.
        """
        if far_pages is not None and self._rate:
            delay_ns = (far_pages - self._usage_pages) / (self._rate * AHEAD)
            self._delay_ns = int(min(max(delay_ns, MIN_NS), MAX_NS))
        elif far_pages is None and self._changed:
            self._delay_ns = MIN_NS
        else:
            self._delay_ns = min(2 * self._delay_ns, MAX_NS)
        return self._delay_ns


class Allowance:
    """The CPU time that looking may take.

    Attributes:
        cgroups: how many are looked at.
        postponed: how often looks had to wait for it.
    """

    def __init__(self) -> None:
        self.cgroups = 0
        self.postponed = 0
        self._saved_ns = 0.0
        self._now_ns = 0
        self._cpu_ns = 0

    def spend(self, now_ns: int, cpu_ns: int) -> int:
        """Return how long to wait before looking again.

        Args:
            now_ns: CLOCK_MONOTONIC.
            cpu_ns: the CPU time of the thread that looks.
        """
        share = SHARE * max(1, self.cgroups / CGROUPS_PER_SHARE)
        earned_ns = (now_ns - self._now_ns) * share - (cpu_ns - self._cpu_ns)
        self._saved_ns = min(self._saved_ns + earned_ns, SAVED_NS * share)
        # Whatever it was, cgroups are looked at again some time.
        self._saved_ns = max(self._saved_ns, -MAX_NS * share)
        self._now_ns, self._cpu_ns = now_ns, cpu_ns
        if self._saved_ns >= 0:
            return 0
        self.postponed += 1
        return int(-self._saved_ns / share)
