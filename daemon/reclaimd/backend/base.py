# SPDX-License-Identifier: GPL-2.0-or-later
"""What every backend promises, and what it reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from reclaimd.backend.alone import Alone
from reclaimd.cgroup.reading import Reading
from reclaimd.config.metric import Metric
from reclaimd.errors import ReclaimdError
from reclaimd.policy.rule import Rule


class StartReason(StrEnum):
    """Why an episode began: the metric whose start condition came true, or REQUESTED: somebody asked for it."""

    USAGE = "usage"
    PSI_SOME = "psi_some"
    PSI_FULL = "psi_full"
    PGFAULTS = "pgfaults"
    REFAULTS = "refaults"
    REFAULTS_ANON = "refaults_anon"
    REFAULTS_FILE = "refaults_file"
    EVENTS_HIGH = "events_high"
    EVENTS_MAX = "events_max"
    EVENTS_OOM = "events_oom"
    SWAP_FREE = "swap_free"
    REQUESTED = "requested"


class StopReason(StrEnum):
    """Why an episode ended: the metric whose stop condition came true, or one of the last five.

    NO_PROGRESS: passes brought nothing. FLOOR: usage is down to the policy's floor. GONE: the cgroup
    was removed. MONITORED: the policy only watches, and the episode ended where it began.
    """

    USAGE = "usage"
    PSI_SOME = "psi_some"
    PSI_FULL = "psi_full"
    PGFAULTS = "pgfaults"
    REFAULTS = "refaults"
    REFAULTS_ANON = "refaults_anon"
    REFAULTS_FILE = "refaults_file"
    EVENTS_HIGH = "events_high"
    EVENTS_MAX = "events_max"
    EVENTS_OOM = "events_oom"
    SWAP_FREE = "swap_free"
    RECLAIMED = "reclaimed"
    AFTER = "after"
    NO_PROGRESS = "no_progress"
    FLOOR = "floor"
    GONE = "gone"
    RULE_REMOVED = "rule_removed"
    MONITORED = "monitored"


class Ability(StrEnum):
    """What a policy may ask for and not every backend can do, or not on every kernel.

    FIRST_CHARGE: a cgroup is governed from its first charge on. KEEP_ON_STOP: rules stay at work without a daemon.
    SWAPPINESS, SWAPPINESS_ANON_ONLY: passes have a swappiness of their own; it may be to take no file pages.
    PSI: the kernel accounts for pressure.
    """

    BACK_PRESSURE = "back_pressure"
    PROTECT = "protect"
    THROTTLE = "throttle"
    FIRST_CHARGE = "first_charge"
    KEEP_ON_STOP = "keep_on_stop"
    SWAPPINESS = "swappiness"
    SWAPPINESS_ANON_ONLY = "swappiness_anon_only"
    PSI = "psi"


#: The bounds of the buckets of Times in ns, but for the last one, which has none.
TIME_BOUNDS_NS = tuple(1000 * 4**power for power in range(15))


@dataclass(frozen=True, slots=True)
class Times:
    """How long something took, each time that it happened.

    Attributes:
        sum_ns: all of it together.
        buckets: how often it took TIME_BOUNDS_NS at most and fitted no bucket before; in the last one, longer.
    """

    sum_ns: int = 0
    buckets: tuple[int, ...] = (0,) * (len(TIME_BOUNDS_NS) + 1)


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
        reclaim_cpu_ns: CPU time spent in them.
        give_ups: episodes that ended because passes brought nothing.
        held_back: times that passes were put off because a second's rate or CPU time was used up.
        delays: charges that back-pressure answered with a delay.
        delay_us: the sum of those delays.
        refusals: charges that back-pressure refused, which tasks can do without.
        write_backs: how often the kernel was told to write back what is dirty.
        throttles: charges that were delayed for the sake of a protected cgroup.
        throttle_ms: the sum of those delays.
        protections: times that protection began.
        ticks: how often what charges cannot see was measured.
        start_failures: work that could not be queued.
        started_for: triggers, by why; what never was a reason is left out.
        ended_for: episodes, by why they ended, likewise.
        durations: how long episodes took; those that are only monitored are left out.
        first_passes: from triggers to where the first pass began.
        first_pages: from triggers to the end of the first pass that brought a page.
        swapless: passes that left anonymous memory alone because swap had no room; none where the kernel sees to it.
        reading: what the cgroup's own accounts said at the same moment; None where the backend does not look.
    """

    triggers: int = 0
    episodes: int = 0
    passes: int = 0
    pages_asked: int = 0
    pages_reclaimed: int = 0
    reclaim_ns: int = 0
    reclaim_cpu_ns: int = 0
    give_ups: int = 0
    held_back: int = 0
    delays: int = 0
    delay_us: int = 0
    refusals: int = 0
    write_backs: int = 0
    throttles: int = 0
    throttle_ms: int = 0
    protections: int = 0
    ticks: int = 0
    start_failures: int = 0
    started_for: Mapping[StartReason, int] = field(default_factory=dict)
    ended_for: Mapping[StopReason, int] = field(default_factory=dict)
    durations: Times = Times()
    first_passes: Times = Times()
    first_pages: Times = Times()
    swapless: int = 0
    reading: Reading | None = None


@dataclass(frozen=True, slots=True)
class EpisodeEnded:
    """One episode, from its trigger to its stop.

    `episode` counts the episodes of this cgroup. started_ns and ended_ns are CLOCK_MONOTONIC;
    reclaim_ns is the part of the time in between that was spent inside passes. start_value and
    stop_value are what was measured then, in the unit of reclaimd.policy.rule.Condition.bound; for
    REQUESTED, start_value is the pages asked for. For the stop reasons that are no metric, stop_value is
    the number of passes without progress (NO_PROGRESS), pages (FLOOR), or 0.
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
    started_for: StartReason
    start_value: int
    reason: StopReason
    stop_value: int
    reclaim_cpu_ns: int


@dataclass(frozen=True, slots=True)
class CgroupGone:
    """A governed cgroup was removed; its rule no longer exists."""

    cgroup_id: int


@dataclass(frozen=True, slots=True)
class ProtectionBegan:
    """The condition of a cgroup's protection came true; `value` is what was measured of the metric."""

    cgroup_id: int
    metric: Metric
    value: int


class RefusedError(ReclaimdError):
    """The backend will not reclaim from this cgroup now; says why."""


Event = EpisodeEnded | CgroupGone | ProtectionBegan


class Backend(Protocol):
    """Carries out one set of rules at a time."""

    @property
    def name(self) -> str:
        """What the backend is called in the log and in metrics."""

    @property
    def features(self) -> Mapping[str, bool]:
        """What the backend looked for on this host, and whether it is there."""

    @property
    def abilities(self) -> frozenset[Ability]:
        """What the backend can do on this host, of what a policy may ask for."""

    def may_govern(self, path: str, /) -> bool:
        """Tell whether this process may reclaim from the cgroup at a path; rules are only for those."""

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

    def reclaim(self, cgroup_id: int, pages: int) -> None:
        """Begin an episode that ends once it has reclaimed so much, if not before for want of progress or at the floor.

        It is bounded, counted and reported as any other, and may come before a pause between episodes is over.

        Raises:
            RefusedError: the cgroup has no rule that reclaims, or an episode is under way.
        """

    def stats(self) -> dict[int, Counters]:
        """Return the counters of all rules in force, by cgroup id."""

    def dropped_events(self) -> int:
        """Return how many events were lost because nobody read them in time."""

    def ungoverned_charges(self) -> int:
        """Return how many charges should have met a rule, and met none."""

    def postponed_looks(self) -> int:
        """Return how often cgroups were looked at later because looking had taken the CPU time that it may."""

    def detach(self) -> None:
        """Take all rules away and leave nothing behind, then close; calling it again does nothing."""

    def close(self) -> None:
        """Give up what this process holds; rules that can be carried out without it stay in force.

        Calling it again does nothing.
        """


@dataclass(frozen=True, slots=True)
class Chosen:
    """A backend that was opened, and why it is this one.

    `alone` is closed when it is done with, so that another daemon may run.
    """

    backend: Backend
    why: str
    alone: Alone | None = None

    def close(self) -> None:
        """Close both; idempotent."""
        self.backend.close()
        if self.alone:
            self.alone.close()
