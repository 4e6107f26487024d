# SPDX-License-Identifier: GPL-2.0-or-later
"""What every backend promises, and what it reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from reclaimd.policy.rule import Rule


class StopReason(StrEnum):
    """Why an episode ended."""

    BELOW_STOP = "below_stop"
    NO_PROGRESS = "no_progress"
    GONE = "gone"
    RULE_REMOVED = "rule_removed"


@dataclass(frozen=True, slots=True)
class Counters:
    """What happened under one rule since its cgroup was first governed.

    Attributes:
        triggers: how often start became true.
        episodes: how many episodes ended.
        passes: calls of the reclaim kfunc.
        pages_asked: pages that the passes asked for.
        pages_reclaimed: pages that the passes brought.
        reclaim_ns: wall time inside the passes.
        give_ups: episodes that ended because passes brought nothing.
        delays: charges that were answered with a delay.
        delay_ms: the sum of those delays.
        start_failures: triggers whose work could not be queued.
    """

    triggers: int
    episodes: int
    passes: int
    pages_asked: int
    pages_reclaimed: int
    reclaim_ns: int
    give_ups: int
    delays: int
    delay_ms: int
    start_failures: int


@dataclass(frozen=True, slots=True)
class EpisodeEnded:
    """One episode, from its trigger to its stop.

    `episode` counts the episodes of this cgroup. started_ns and ended_ns are CLOCK_MONOTONIC;
    reclaim_ns is the part of the time in between that was spent inside passes.
    """

    cgroup_id: int
    episode: int
    started_ns: int
    ended_ns: int
    reclaim_ns: int
    passes: int
    pages_asked: int
    pages_reclaimed: int
    usage_started_pages: int
    usage_ended_pages: int
    reason: StopReason


@dataclass(frozen=True, slots=True)
class CgroupGone:
    """A governed cgroup was removed; its rule no longer exists."""

    cgroup_id: int


Event = EpisodeEnded | CgroupGone


class Backend(Protocol):
    """Carries out one set of rules at a time."""

    @property
    def name(self) -> str:
        """What the backend is called in the log and in metrics."""

    def apply(self, rules: Sequence[Rule]) -> None:
        """Replace all rules by these.

        Raises:
            HostError: the kernel refused; the rules that were in force still are.
        """

    def pollables(self) -> Sequence[int]:
        """Return the file descriptors to wait on for POLLIN and POLLHUP.

        They may change with each apply() and events().
        """

    def events(self) -> list[Event]:
        """Return what happened since the last call; never blocks."""

    def stats(self) -> dict[int, Counters]:
        """Return the counters of all rules in force, by cgroup id."""

    def dropped_events(self) -> int:
        """Return how many events were lost because nobody read them in time."""

    def close(self) -> None:
        """Detach everything; calling it again does nothing."""
