# SPDX-License-Identifier: GPL-2.0-or-later
"""One episode while it runs, and what its passes do."""

from dataclasses import dataclass

from reclaimd.backend.base import EpisodeEnded, StartReason, StopReason


@dataclass(frozen=True, slots=True)
class Pass:
    """What is to be asked for next: so many pages, with this swappiness (see reclaimd.policy.rule).

    It may be the first of its episode.
    """

    pages: int
    swappiness: int
    is_first: bool


@dataclass(frozen=True, slots=True)
class Done:
    """What a pass did.

    Attributes:
        asked_pages: what it asked for.
        reclaimed_pages: what it brought.
        began_ns: CLOCK_MONOTONIC.
        took_ns: wall time.
        cpu_ns: CPU time.
        swapless: it left anonymous memory alone because swap had no room.
    """

    asked_pages: int
    reclaimed_pages: int
    began_ns: int
    took_ns: int
    cpu_ns: int
    swapless: bool = False

    @property
    def ended_ns(self) -> int:
        """When it was over."""
        return self.began_ns + self.took_ns


@dataclass(frozen=True, slots=True)
class Stop:
    """The end of an episode: why, what was measured of that, the usage then, and when (CLOCK_MONOTONIC)."""

    reason: StopReason
    value: int
    usage_pages: int
    at_ns: int


@dataclass(slots=True)
class Episode:
    """From a trigger to its stop.

    Attributes:
        started_ns: CLOCK_MONOTONIC.
        usage_pages: the usage then.
        started_for: why.
        start_value: what was measured then, or the pages that were asked for.
        requested_pages: it stops once it has reclaimed these; 0: when the rule says.
        idle_passes: passes in a row that brought nothing.
    """

    started_ns: int
    usage_pages: int
    started_for: StartReason
    start_value: int
    requested_pages: int = 0
    idle_passes: int = 0
    passes: int = 0
    pages_asked: int = 0
    pages_reclaimed: int = 0
    reclaim_ns: int = 0
    reclaim_cpu_ns: int = 0

    def count(self, done: Done) -> None:
        """Count a pass."""
        self.passes += 1
        self.pages_asked += done.asked_pages
        self.pages_reclaimed += done.reclaimed_pages
        self.reclaim_ns += done.took_ns
        self.reclaim_cpu_ns += done.cpu_ns
        self.idle_passes = 0 if done.reclaimed_pages else self.idle_passes + 1

    def ended(self, cgroup_id: int, number: int, stop: Stop) -> EpisodeEnded:
        """Return the event of its end."""
        return EpisodeEnded(
            cgroup_id=cgroup_id,
            episode=number,
            started_ns=self.started_ns,
            ended_ns=stop.at_ns,
            reclaim_ns=self.reclaim_ns,
            passes=self.passes,
            pages_asked=self.pages_asked,
            pages_reclaimed=self.pages_reclaimed,
            usage_started_pages=self.usage_pages,
            usage_ended_pages=stop.usage_pages,
            started_for=self.started_for,
            start_value=self.start_value,
            reason=stop.reason,
            stop_value=stop.value,
            reclaim_cpu_ns=self.reclaim_cpu_ns,
        )
