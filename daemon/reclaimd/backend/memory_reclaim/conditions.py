# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether conditions, and combinations of them, hold: what bpf_src/condition.bpf.h is for the other backend."""

from collections.abc import Mapping

from reclaimd.config.metric import PSI, Metric
from reclaimd.policy.rule import Combination

NS_PER_MS = 1_000_000

#: Totals of PSI may be as old as the kernel's averages, which it brings up to date each 2 s (PSI_FREQ of
#: kernel/sched/psi.c): that one has not grown for less than twice as long does not mean that there is no pressure.
_CALM_PSI_MS = 4000
#: What has to be reached also where it stops an episode.
_OF_THE_EPISODE = frozenset({Metric.RECLAIMED, Metric.AFTER})


class Window:
    """How much something has grown in a time that slides.

    Going by where the window in between began and by how much it had grown in the one before, as
    window_update() of kernel/sched/psi.c does.
    """

    __slots__ = ("_before", "_started_ns", "_started_value")

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew with the next value."""
        self._started_ns: int | None = None
        self._started_value = 0
        self._before = 0

    def growth(self, now_ns: int, size_ns: int, value: int) -> int:
        """Return by how much a value, which is this now, has grown in the last size_ns."""
        if self._started_ns is None:
            growth = 0
        else:
            elapsed_ns = now_ns - self._started_ns
            growth = value - self._started_value
            if elapsed_ns <= size_ns:
                # Rounded up: of one thing that has happened there is no half.
                return growth - (-self._before * (size_ns - elapsed_ns) // size_ns)
            # Of a longer time, in which nobody looked, what a window has on average.
            growth = growth * size_ns // elapsed_ns
        self._started_ns = now_ns
        self._started_value = value
        self._before = growth
        return growth


class Meter:
    """The conditions of a combination, compared again and again with what is measured.

    A set of conditions is a number with a bit for each, in the order of `Combination.conditions`.

    Attributes:
        conditions: those of the combination.
        values: what each was last compared with.
        windows: what those that have a window are measured over.
        told: those that the kernel says have been reached since the last comparison.
    """

    __slots__ = ("_any_of_all", "_groups", "conditions", "told", "values", "windows")

    def __init__(self, combination: Combination) -> None:
        self.conditions = combination.conditions
        self.values = [0] * len(self.conditions)
        self.windows = [Window() for _ in self.conditions]
        self._any_of_all = combination.any_of_all
        self._groups: list[int] = []
        self.told = 0
        place = 0
        for group in combination.groups:
            self._groups.append(((1 << len(group)) - 1) << place)
            place += len(group)

    def reset(self) -> None:
        """Have all windows begin anew."""
        for window in self.windows:
            window.reset()

    def continue_from(self, other: "Meter") -> None:
        """Take over the windows of conditions that are the same, but for bounds on usage."""
        self.windows = other.windows
        self.told = other.told

    def tell(self, place: int) -> None:
        """Take the kernel's word that a condition has been reached since the last comparison."""
        self.told |= 1 << place

    def reached(self, readings: Mapping[Metric, int], now_ns: int) -> int:
        """Return the conditions that have reached their bound, as what starts something must have."""
        truth, self.told = self.told, 0
        for place, condition in enumerate(self.conditions):
            value = self._measure(place, readings, now_ns, condition.window_ms)
            if truth >> place & 1:
                self.values[place] = max(self.values[place], condition.bound)
            elif value is not None and value >= condition.bound:
                truth |= 1 << place
        return truth

    def calmed(self, readings: Mapping[Metric, int], now_ns: int, watched_ns: int) -> int:
        """Return the conditions that are down to their bound, as what stops an episode must be.

        Each must have been watched for a whole window, which is longer where totals may be old; and what is
        measured of the episode itself must have been reached here too.
        """
        truth = 0
        for place, condition in enumerate(self.conditions):
            calm_ms = max(condition.window_ms, _CALM_PSI_MS if condition.metric in PSI else 0)
            value = self._measure(place, readings, now_ns, calm_ms)
            if value is None:
                holds = False
            elif condition.metric in _OF_THE_EPISODE:
                holds = value >= condition.bound
            else:
                holds = value <= condition.bound and watched_ns >= calm_ms * NS_PER_MS
            truth |= holds << place
        return truth

    def usages_reached(self, usage_pages: int) -> int:
        """Return the conditions on usage that have been reached."""
        truth = 0
        for place, condition in enumerate(self.conditions):
            if condition.metric is Metric.USAGE and usage_pages >= condition.bound:
                self.values[place] = usage_pages
                truth |= 1 << place
        return truth

    def why(self, truth: int) -> int | None:
        """Return the first condition of those that make the combination hold; None if it does not."""
        reasons = 0
        for group in self._groups:
            if self._any_of_all:
                if truth & group == group:
                    return _first(group)
            elif truth & group:
                reasons |= truth & group
            else:
                return None
        return _first(reasons) if reasons else None

    def _measure(self, place: int, readings: Mapping[Metric, int], now_ns: int, over_ms: int) -> int | None:
        """Return what a condition is compared with, going by so much time; None if it is not known at the moment."""
        condition, window = self.conditions[place], self.windows[place]
        value = readings.get(condition.metric)
        if value is None:
            # Once it is known again, it has not grown all at once.
            window.reset()
        elif condition.window_ms:
            value = window.growth(now_ns, over_ms * NS_PER_MS, value) * condition.window_ms // over_ms
        self.values[place] = value or 0
        return value


def _first(truth: int) -> int:
    return (truth & -truth).bit_length() - 1
