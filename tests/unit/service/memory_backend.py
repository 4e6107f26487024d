# SPDX-License-Identifier: GPL-2.0-or-later
"""A backend that keeps rules in memory and lets a test play the kernel, with real fds to wait on."""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from reclaimd.backend.base import (
    Ability,
    CgroupGone,
    Counters,
    EpisodeEnded,
    Event,
    RefusedError,
    StartReason,
    StopReason,
)
from reclaimd.errors import HostError
from reclaimd.policy.rule import Rule

NO_COUNTS = Counters()


class MemoryBackend:
    """Keeps what the Backend protocol promises; the test calls the methods named *_happens."""

    name = "memory"
    features: ClassVar[dict[str, bool]] = {"pipes": True, "kernel": False}

    def __init__(self) -> None:
        """Start with no rules and nothing to report."""
        self.abilities = frozenset(Ability)
        #: The cgroups that may not be governed, by path.
        self.forbidden: set[str] = set()
        self.rules: dict[int, Rule] = {}
        self.applied: list[list[Rule]] = []
        self.counts: dict[int, Counters] = {}
        #: Cgroup id and pages of each reclaim() so far.
        self.requests: list[tuple[int, int]] = []
        self.dropped = 0
        self.postponed = 0
        self.closed = False
        self.detached = False
        # Called with the rules before they are taken; raises HostError to refuse them.
        self.before_apply: Callable[[Sequence[Rule]], None] = lambda _rules: None
        self._events: list[Event] = []
        self._changed = threading.Condition()
        self._read_fd, self._write_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def may_govern(self, path: str) -> bool:
        """Tell whether a path is none of those that the test has forbidden."""
        return path not in self.forbidden

    def apply(self, rules: Sequence[Rule]) -> None:
        """Take the rules, keeping the counts of those that stay."""
        if self.closed:
            raise HostError("the backend is closed")
        self.before_apply(rules)
        with self._changed:
            self.rules = {rule.cgroup_id: rule for rule in rules}
            self.counts = {key: self.counts.get(key, NO_COUNTS) for key in self.rules}
            self.applied.append(list(rules))
            self._changed.notify_all()

    def pollables(self) -> Sequence[int]:
        """Return the pipe that *_happens write to."""
        return () if self.closed else (self._read_fd,)

    def events(self) -> list[Event]:
        """Return what happened since the last call; the rule of a cgroup that has gone goes with it."""
        with self._changed:
            events, self._events = self._events, []
            if events:
                os.read(self._read_fd, len(events))
            for event in events:
                if isinstance(event, CgroupGone):
                    self.rules.pop(event.cgroup_id, None)
            self._changed.notify_all()
            return events

    def reclaim(self, cgroup_id: int, pages: int) -> None:
        """Note what was asked for; the test tells of the episode."""
        if cgroup_id not in self.rules:
            raise RefusedError("the cgroup has no rule")
        with self._changed:
            self.requests.append((cgroup_id, pages))
            self._changed.notify_all()

    def stats(self) -> dict[int, Counters]:
        """Return the counts of the rules in force."""
        return dict(self.counts)

    def dropped_events(self) -> int:
        """Return what the test set."""
        return self.dropped

    def ungoverned_charges(self) -> int:
        """Return none: it has no charges."""
        return 0

    def postponed_looks(self) -> int:
        """Return what the test set."""
        return self.postponed

    def detach(self) -> None:
        """Drop everything, and say so."""
        self.detached = True
        self.close()

    def close(self) -> None:
        """Give everything up."""
        with self._changed:
            if not self.closed:
                os.close(self._read_fd)
                os.close(self._write_fd)
            self.closed = True
            self.rules = {}

    def event_happens(self, event: Event) -> None:
        """Report *event*, as the ring buffer would."""
        with self._changed:
            self._events.append(event)
            os.write(self._write_fd, b"e")

    def counts_happen(self, cgroup_id: int, **counts: Any) -> None:  # noqa: ANN401  of Counters
        """Set counters of one governed cgroup."""
        self.counts[cgroup_id] = replace(self.counts[cgroup_id], **counts)

    def wait_for_paths(self, paths: set[str], timeout_s: float = 10.0) -> None:
        """Wait until exactly the cgroups at *paths* are governed."""
        with self._changed:
            if not self._changed.wait_for(
                lambda: {rule.path for rule in self.rules.values()} == paths, timeout_s
            ):
                raise AssertionError(
                    f"governed: {[rule.path for rule in self.rules.values()]}, wanted: {paths}"
                )

    def wait_for_applied(self, number: int, timeout_s: float = 10.0) -> None:
        """Wait until *number* rule sets have been applied in all."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.applied) >= number, timeout_s):
                raise AssertionError(f"applied {len(self.applied)} times, wanted {number}")

    def wait_for_requests(self, number: int, timeout_s: float = 10.0) -> None:
        """Wait until *number* episodes have been asked for in all."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.requests) >= number, timeout_s):
                raise AssertionError(f"asked for {self.requests}, wanted {number}")


def episode(cgroup_id: int, reason: StopReason = StopReason.USAGE, number: int = 1) -> EpisodeEnded:
    """Make an episode of 3 passes that reclaimed 512 of 1,024 pages asked, in 10 ms of which 8 in reclaim."""
    return EpisodeEnded(
        cgroup_id=cgroup_id,
        episode=number,
        started_ns=1_000_000_000,
        ended_ns=1_010_000_000,
        reclaim_ns=8_000_000,
        passes=3,
        pages_asked=1024,
        pages_reclaimed=512,
        usage_started_pages=6144,
        usage_ended_pages=5632,
        started_for=StartReason.USAGE,
        start_value=6144,
        reason=reason,
        stop_value=5632,
        reclaim_cpu_ns=7_000_000,
    )
