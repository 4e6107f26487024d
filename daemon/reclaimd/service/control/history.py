# SPDX-License-Identifier: GPL-2.0-or-later
"""The latest events, for those who ask and those who follow."""

import time
from collections import deque
from dataclasses import dataclass

from reclaimd.backend.base import EpisodeEnded, ProtectionBegan
from reclaimd.service.ledger import Name

#: How many events are kept: what a follower may be behind.
MAX_KEPT = 1024


@dataclass(frozen=True, slots=True)
class Happened:
    """An event, when the daemon learned of it, and about whom.

    Attributes:
        number: counts all events since the daemon's start, from 0.
        time_ns: since 1970.
        name: None for a cgroup that was gone for long.
        event: what happened.
    """

    number: int
    time_ns: int
    name: Name | None
    event: EpisodeEnded | ProtectionBegan


class History:
    """Keeps the last MAX_KEPT events; each has a number, the first 0."""

    def __init__(self) -> None:
        self._kept: deque[Happened] = deque(maxlen=MAX_KEPT)
        self.next_number = 0

    def add(self, event: EpisodeEnded | ProtectionBegan, name: Name | None) -> None:
        """Add what happened just now."""
        self._kept.append(Happened(self.next_number, time.time_ns(), name, event))
        self.next_number += 1

    def since(self, number: int, limit: int = MAX_KEPT) -> list[Happened]:
        """Return what is kept of the events from a number on, oldest first and at most so many."""
        first = self.next_number - len(self._kept)
        skipped = max(number - first, 0)
        return [self._kept[at] for at in range(skipped, min(len(self._kept), skipped + limit))]

    def of(self, cgroup: str, limit: int) -> list[Happened]:
        """Return the last events about a cgroup, oldest first."""
        about = [happened for happened in self._kept if happened.name and happened.name.cgroup == cgroup]
        return about[-limit:]
