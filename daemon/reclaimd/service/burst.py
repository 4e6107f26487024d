# SPDX-License-Identifier: GPL-2.0-or-later
"""Bounds how much is logged of one kind at a time, and counts what is left out."""

from dataclasses import dataclass

#: Lines of one kind in one interval, at most.
MAX_LINES = 500
INTERVAL_S = 5.0


@dataclass(slots=True)
class _Interval:
    began_s: float
    lines: int = 0
    left_out: int = 0


class Bursts:
    """Decides which lines are let through. Times are those of one clock, in seconds."""

    def __init__(self) -> None:
        self._intervals: dict[str, _Interval] = {}

    def admit(self, kind: str, now_s: float) -> bool:
        """Whether one more line of this kind may be written."""
        interval = self._intervals.get(kind)
        # What was left out is told before another interval begins.
        if interval is None or (now_s - interval.began_s >= INTERVAL_S and not interval.left_out):
            interval = self._intervals[kind] = _Interval(now_s)
        if interval.lines < MAX_LINES:
            interval.lines += 1
            return True
        interval.left_out += 1
        return False

    def wait_s(self, now_s: float) -> float | None:
        """How long until take_left_out() has something to tell; None if nothing was left out."""
        ends = [each.began_s + INTERVAL_S for each in self._intervals.values() if each.left_out]
        return max(0.0, min(ends) - now_s) if ends else None

    def take_left_out(self, now_s: float) -> dict[str, int]:
        """How many lines of which kind were left out in the intervals that have ended since the last call."""
        ended = {
            kind: each.left_out
            for kind, each in self._intervals.items()
            if each.left_out and now_s - each.began_s >= INTERVAL_S
        }
        for kind in ended:
            del self._intervals[kind]
        return ended
