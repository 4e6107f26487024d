# SPDX-License-Identifier: GPL-2.0-or-later
"""The pauses between episodes."""

from reclaimd.backend.base import StopReason
from reclaimd.backend.memory_reclaim.conditions import NS_PER_MS
from reclaimd.policy.rule import Reclaim

#: Monitored policies do not decide the same thing more often.
MIN_MONITOR_PAUSE_NS = 1000 * NS_PER_MS


class Pauses:
    """When the next episode may begin: the longer, the more often passes have brought nothing.

    Attributes:
        until_ns: not before (CLOCK_MONOTONIC).
    """

    __slots__ = ("_backoff_ns", "until_ns")

    def __init__(self) -> None:
        self.until_ns = 0
        #: The last pause for lack of progress, 0 after some.
        self._backoff_ns = 0

    def progressed(self) -> None:
        """Note that a pass has brought something."""
        self._backoff_ns = 0

    def begin(self, reason: StopReason, reclaim: Reclaim | None, now_ns: int) -> None:
        """Begin the pause after an episode that has ended for this reason, if there is to be one."""
        pause_ns = reclaim.cooldown_ms * NS_PER_MS if reclaim else 0
        if reason is StopReason.NO_PROGRESS and reclaim:
            pause_ns = max(pause_ns, self._next_backoff_ns(reclaim))
        elif reason is StopReason.MONITORED:
            pause_ns = max(pause_ns, MIN_MONITOR_PAUSE_NS)
        if pause_ns:
            self.until_ns = now_ns + pause_ns

    def _next_backoff_ns(self, reclaim: Reclaim) -> int:
        if self._backoff_ns:
            self._backoff_ns = min(self._backoff_ns * 2, reclaim.backoff_max_ms * NS_PER_MS)
        else:
            self._backoff_ns = reclaim.backoff_min_ms * NS_PER_MS
        return self._backoff_ns
