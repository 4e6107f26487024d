# SPDX-License-Identifier: GPL-2.0-or-later
"""A rule: a policy resolved for one cgroup, in numbers that the kernel can compare."""

from collections.abc import Iterable
from dataclasses import dataclass

from reclaimd.config.metric import Metric
from reclaimd.config.models import Mode, ProtectAs


@dataclass(frozen=True, slots=True)
class Condition:
    """One measurement against one bound.

    To start (or to protect), the measurement must have reached the bound; to stop, it must be at the
    bound or below, but for RECLAIMED and AFTER, which must have reached it.

    Attributes:
        metric: what is measured.
        bound: in pages for USAGE, SWAP_FREE and RECLAIMED; in ns for AFTER; for PSI in ns of stall
            within window_ms; for the others a number of events within window_ms.
        window_ms: how far back it is measured; 0 for what has a value at each moment.
    """

    metric: Metric
    bound: int
    window_ms: int = 0


@dataclass(frozen=True, slots=True)
class Combination:
    """Conditions joined by any and all, nested once.

    Attributes:
        groups: the conditions; no group is empty.
        any_of_all: true if all conditions of any group must hold, false if any condition of all groups.
    """

    groups: tuple[tuple[Condition, ...], ...]
    any_of_all: bool

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All conditions, group by group."""
        return tuple(condition for group in self.groups for condition in group)

    @property
    def lowest_usage_pages(self) -> int | None:
        """The lowest usage that a condition compares with, in pages; None if none does."""
        return min(_usages(self.conditions), default=None)

    @property
    def holds_from_pages(self) -> int:
        """The lowest usage in pages at which it can hold, whatever else is measured."""
        if self.any_of_all:
            return min(max(_usages(group), default=0) for group in self.groups)
        return max(min(_usages(group)) if len(_usages(group)) == len(group) else 0 for group in self.groups)


def _usages(conditions: Iterable[Condition]) -> list[int]:
    return [c.bound for c in conditions if c.metric is Metric.USAGE]


#: For Reclaim.swappiness: the cgroup's own, and no file pages at all (SWAPPINESS_ANON_ONLY in linux/swap.h).
SWAPPINESS_OWN = -1
SWAPPINESS_ANON_ONLY = 201


@dataclass(frozen=True, slots=True)
class Reclaim:
    """Background reclaim of one cgroup.

    Attributes:
        start: begins an episode.
        stop: ends it.
        floor_pages: reclaim never takes usage below this; 0: no floor.
        pass_pages: most that one pass asks for.
        rate_pages_per_s: most that is reclaimed in a second; 0: no limit.
        cpu_permille: most of one CPU, in thousandths, that is spent on it in a second; 0: no limit.
        swappiness: 0 to 200, SWAPPINESS_OWN or SWAPPINESS_ANON_ONLY.
        cooldown_ms: no episode begins for so long after the end of one.
        backoff_min_ms: the pause after an episode whose passes brought nothing;
        backoff_max_ms: it doubles up to this as long as that stays so.
    """

    start: Combination
    stop: Combination
    floor_pages: int = 0
    pass_pages: int = 256
    rate_pages_per_s: int = 0
    cpu_permille: int = 0
    swappiness: int = SWAPPINESS_OWN
    cooldown_ms: int = 0
    backoff_min_ms: int = 10
    backoff_max_ms: int = 1000


@dataclass(frozen=True, slots=True)
class BackPressure:
    """How tasks that charge close to the limit are slowed down.

    There is no delay below start_pages, max_delay_ms at full_pages (the cgroup's memory.max) and
    above, and a delay that rises in between. start_pages is always below full_pages.
    """

    start_pages: int
    full_pages: int
    max_delay_ms: int


@dataclass(frozen=True, slots=True)
class Protect:
    """Protection of a cgroup, and of all below it, from reclaim further up.

    It holds while a condition does and for_ms longer.
    """

    protect_as: ProtectAs
    condition: Combination
    for_ms: int


@dataclass(frozen=True, slots=True)
class Throttle:
    """Each charge of this rule's cgroup is delayed by delay_ms while another cgroup is protected."""

    protected_cgroup_id: int
    delay_ms: int


#: What a rule has room for in the kernel (RECLAIMD_MAX_THROTTLES in bpf_src/reclaimd.h).
MAX_THROTTLES = 4


@dataclass(frozen=True, slots=True)
class Rule:
    """What one cgroup is governed by.

    Attributes:
        cgroup_id: which.
        path: below the cgroup2 root, such as "/batch.slice".
        policy: the name of the policy that it comes from; where a cgroup is only throttled for the sake
            of another, that of the other's policy.
        mode: whether anything is done.
        reclaim, back_pressure, protect: None where the policy has none.
        throttles: at most MAX_THROTTLES.
        limit_pages: its memory.max when the rule was resolved, None without one.
    """

    cgroup_id: int
    path: str
    policy: str
    mode: Mode = Mode.ENFORCE
    reclaim: Reclaim | None = None
    back_pressure: BackPressure | None = None
    protect: Protect | None = None
    throttles: tuple[Throttle, ...] = ()
    limit_pages: int | None = None
