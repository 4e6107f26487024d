# SPDX-License-Identifier: GPL-2.0-or-later
"""A rule: a policy resolved for one cgroup, in numbers that the kernel can compare."""

from dataclasses import dataclass


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
class Rule:
    """What one cgroup is governed by.

    Reclaim starts when the cgroup's usage reaches start_pages and goes on until it is down to
    stop_pages; 0 < stop_pages < start_pages. limit_pages is its memory.max when the rule was
    resolved, None without one.
    """

    cgroup_id: int
    path: str
    policy: str
    start_pages: int
    stop_pages: int
    back_pressure: BackPressure | None
    limit_pages: int | None
