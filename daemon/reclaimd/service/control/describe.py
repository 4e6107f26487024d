# SPDX-License-Identifier: GPL-2.0-or-later
"""What the daemon knows, in the types of io.reclaimd.varlink."""

from collections.abc import Mapping
from mmap import PAGESIZE as PAGE_BYTES
from typing import Any

from reclaimd.backend.base import Counters, EpisodeEnded, ProtectionBegan, StartReason, StopReason
from reclaimd.cgroup.reading import Reading
from reclaimd.config.problem import printable
from reclaimd.policy.rule import BackPressure, Protect, Reclaim, Rule
from reclaimd.policy.text import combination_text
from reclaimd.service.control.history import Happened

NS_PER_US = 1000
US_PER_MS = 1000

Described = dict[str, Any]


def governed(rule: Rule, counters: Counters | None, reading: Reading | None) -> Described:
    """Return a Governed."""
    reclaim = rule.reclaim
    return {
        "cgroup": printable(rule.path),
        "policy": rule.policy,
        "mode": rule.mode.value,
        "usage_bytes": reading.usage_bytes if reading else None,
        "limit_bytes": None if rule.limit_pages is None else rule.limit_pages * PAGE_BYTES,
        "start": combination_text(reclaim.start, PAGE_BYTES) if reclaim else None,
        "stop": combination_text(reclaim.stop, PAGE_BYTES) if reclaim else None,
        "counters": _counters(counters) if counters else None,
    }


def bounds(reclaim: Reclaim) -> Described:
    """Return a Bounds."""
    return {
        "floor_bytes": reclaim.floor_pages * PAGE_BYTES,
        "pass_bytes": reclaim.pass_pages * PAGE_BYTES,
        "rate_bytes_per_s": reclaim.rate_pages_per_s * PAGE_BYTES,
        "cpu_permille": reclaim.cpu_permille,
        "swappiness": reclaim.swappiness,
        "cooldown_ms": reclaim.cooldown_ms,
        "backoff_min_ms": reclaim.backoff_min_ms,
        "backoff_max_ms": reclaim.backoff_max_ms,
    }


def back_pressure(pressure: BackPressure) -> Described:
    """Return a BackPressure."""
    return {
        "start_bytes": pressure.start_pages * PAGE_BYTES,
        "full_bytes": pressure.full_pages * PAGE_BYTES,
        "max_delay_ms": pressure.max_delay_ms,
    }


def protection(protect: Protect) -> Described:
    """Return a Protection."""
    return {
        "protect_as": protect.protect_as.value,
        "condition": combination_text(protect.condition, PAGE_BYTES),
        "for_ms": protect.for_ms,
    }


def by_reason(counts: Mapping[StartReason, int] | Mapping[StopReason, int]) -> dict[str, int]:
    """Return counts by the names of what they count."""
    return {reason.value: count for reason, count in counts.items()}


def event(happened: Happened) -> Described:
    """Return an Event."""
    name, what = happened.name, happened.event
    return {
        "number": happened.number,
        "time_us": happened.time_ns // NS_PER_US,
        "cgroup": printable(name.cgroup) if name else "",
        "policy": name.policy if name else "",
        "episode": _episode(what) if isinstance(what, EpisodeEnded) else None,
        "protected_for": what.metric.value if isinstance(what, ProtectionBegan) else None,
    }


def _episode(ended: EpisodeEnded) -> Described:
    return {
        "number": ended.episode,
        "started_for": ended.started_for.value,
        "start_value": ended.start_value,
        "reason": ended.reason.value,
        "stop_value": ended.stop_value,
        "duration_ns": ended.ended_ns - ended.started_ns,
        "reclaim_ns": ended.reclaim_ns,
        "reclaim_cpu_ns": ended.reclaim_cpu_ns,
        "passes": ended.passes,
        "asked_bytes": ended.pages_asked * PAGE_BYTES,
        "reclaimed_bytes": ended.pages_reclaimed * PAGE_BYTES,
        "usage_before_bytes": ended.usage_started_pages * PAGE_BYTES,
        "usage_after_bytes": ended.usage_ended_pages * PAGE_BYTES,
    }


def _counters(counts: Counters) -> Described:
    return {
        "triggers": counts.triggers,
        "episodes": counts.episodes,
        "passes": counts.passes,
        "asked_bytes": counts.pages_asked * PAGE_BYTES,
        "reclaimed_bytes": counts.pages_reclaimed * PAGE_BYTES,
        "reclaim_ns": counts.reclaim_ns,
        "reclaim_cpu_ns": counts.reclaim_cpu_ns,
        "give_ups": counts.give_ups,
        "held_back": counts.held_back,
        "delays": counts.delays,
        "delay_ms": counts.delay_us // US_PER_MS,
        "refusals": counts.refusals,
        "write_backs": counts.write_backs,
        "throttles": counts.throttles,
        "throttle_ms": counts.throttle_ms,
        "protections": counts.protections,
        "ticks": counts.ticks,
        "start_failures": counts.start_failures,
        "swapless": counts.swapless,
    }
