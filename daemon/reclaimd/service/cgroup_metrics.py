# SPDX-License-Identifier: GPL-2.0-or-later
"""The metrics of each governed cgroup.

A cgroup has the samples that its rule can bring, from 0 on, and any that it has brought before: what its policy
does not have is left out, as each sample costs the daemon and Prometheus alike.
"""

from collections.abc import Callable, Iterable
from mmap import PAGESIZE as PAGE_BYTES

from reclaimd.backend.base import TIME_BOUNDS_NS, Counters, Times
from reclaimd.cgroup.reading import EVENTS, SHARES
from reclaimd.policy.rule import Rule
from reclaimd.service.family import NS_PER_S, ByLabel, Family, Governed, Histogram, Kind, Number
from reclaimd.service.subject import Subject

MS_PER_S = 1_000
US_PER_S = 1_000_000

#: From 256 us to 262 ms: a delay that nobody notices, and one that all do.
REACTION_BOUNDS_NS = TIME_BOUNDS_NS[4:10]
#: From 1 ms, about a pass, to 17 s.
DURATION_BOUNDS_NS = TIME_BOUNDS_NS[5:13]


def _counter(
    name: str, documentation: str, value_of: Callable[[Counters], float], part: Callable[[Rule], object]
) -> Number:
    """Make a counter that a cgroup has if its rule has that part, or once it is not 0."""

    def value(governed: Governed) -> float | None:
        if governed.counters is None:
            return None
        number = value_of(governed.counters)
        return number if number or part(governed.subject.rule) else None

    return Number(name, Kind.COUNTER, documentation, value)


def _reclaim(rule: Rule) -> object:
    return rule.reclaim


def _back_pressure(rule: Rule) -> object:
    return rule.back_pressure


def _protect(rule: Rule) -> object:
    return rule.protect


def _budget(rule: Rule) -> object:
    return rule.reclaim and (rule.reclaim.rate_pages_per_s or rule.reclaim.cpu_permille)


def _throttles(rule: Rule) -> object:
    return rule.throttles


def _threshold(name: str, documentation: str, bytes_of: Callable[[Subject], int | None]) -> Number:
    return Number(name, Kind.GAUGE, documentation, lambda governed: bytes_of(governed.subject))


def _histogram(
    name: str, documentation: str, bounds_ns: tuple[int, ...], times_of: Callable[[Counters], Times]
) -> Histogram:
    def times(governed: Governed) -> Times | None:
        counters = governed.counters
        return times_of(counters) if counters is not None and governed.subject.rule.reclaim else None

    return Histogram(name, Kind.HISTOGRAM, documentation, bounds_ns, times)


def _triggers(governed: Governed) -> Iterable[tuple[str, float]]:
    if governed.counters is None:
        return ()
    return {**governed.subject.starts, **governed.counters.started_for}.items()


def _episodes(governed: Governed) -> Iterable[tuple[str, float]]:
    if governed.counters is None:
        return ()
    return {**governed.subject.ends, **governed.counters.ended_for}.items()


def _stalls(governed: Governed) -> Iterable[tuple[str, float]]:
    stalled_us = governed.reading.stalled_us if governed.reading else ()
    return [(share, us / US_PER_S) for share, us in zip(SHARES, stalled_us, strict=False)]


def _events(governed: Governed) -> Iterable[tuple[str, float]]:
    return zip(EVENTS, governed.reading.events, strict=True) if governed.reading else ()


FAMILIES: tuple[Family, ...] = (
    ByLabel(
        "reclaimd_triggers",
        Kind.COUNTER,
        "How often start became true, by the measurement that made it so.",
        "reason",
        _triggers,
    ),
    ByLabel("reclaimd_episodes", Kind.COUNTER, "Episodes, by why they ended.", "reason", _episodes),
    _histogram(
        "reclaimd_episode_duration_seconds",
        "How long episodes took, from their trigger to their stop; those that are only monitored aside.",
        DURATION_BOUNDS_NS,
        lambda c: c.durations,
    ),
    _histogram(
        "reclaimd_reaction_seconds",
        "From the trigger, usually a charge, to where the episode's first pass began.",
        REACTION_BOUNDS_NS,
        lambda c: c.first_passes,
    ),
    _histogram(
        "reclaimd_first_page_seconds",
        "From the trigger to the end of the episode's first pass that reclaimed something.",
        REACTION_BOUNDS_NS,
        lambda c: c.first_pages,
    ),
    _counter(
        "reclaimd_passes",
        "Reclaim passes, each one bounded call of the kernel's reclaim.",
        lambda c: c.passes,
        _reclaim,
    ),
    _counter(
        "reclaimd_asked_bytes",
        "Memory that passes asked the kernel to reclaim.",
        lambda c: c.pages_asked * PAGE_BYTES,
        _reclaim,
    ),
    _counter(
        "reclaimd_reclaimed_bytes",
        "Memory that passes reclaimed.",
        lambda c: c.pages_reclaimed * PAGE_BYTES,
        _reclaim,
    ),
    _counter(
        "reclaimd_reclaim_seconds", "Time that passes took.", lambda c: c.reclaim_ns / NS_PER_S, _reclaim
    ),
    _counter(
        "reclaimd_reclaim_cpu_seconds",
        "CPU time that passes took.",
        lambda c: c.reclaim_cpu_ns / NS_PER_S,
        _reclaim,
    ),
    _counter(
        "reclaimd_give_ups",
        "Episodes that ended because passes brought nothing.",
        lambda c: c.give_ups,
        _reclaim,
    ),
    _counter(
        "reclaimd_held_back",
        "Seconds in which passes were put off because its rate or CPU time was used up.",
        lambda c: c.held_back,
        _budget,
    ),
    _counter(
        "reclaimd_swapless_passes",
        "Passes that left anonymous memory alone because swap had no room; memory.reclaim only.",
        lambda c: c.swapless,
        _reclaim,
    ),
    _counter(
        "reclaimd_start_failures",
        "Triggers whose reclaim could not be queued.",
        lambda c: c.start_failures,
        _reclaim,
    ),
    _counter(
        "reclaimd_write_backs",
        "How often the kernel was told to write back what the cgroup has dirty, so that it can be reclaimed.",
        lambda c: c.write_backs,
        _reclaim,
    ),
    _counter(
        "reclaimd_delays",
        "Charges that back-pressure answered with a delay.",
        lambda c: c.delays,
        _back_pressure,
    ),
    _counter(
        "reclaimd_delay_seconds",
        "The sum of the delays that back-pressure answered charges with.",
        lambda c: c.delay_us / US_PER_S,
        _back_pressure,
    ),
    _counter(
        "reclaimd_refusals",
        "Charges that back-pressure refused: of huge pages, readahead, and pages in advance, which tasks can do without.",
        lambda c: c.refusals,
        _back_pressure,
    ),
    _counter(
        "reclaimd_throttles",
        "Charges delayed for the sake of a protected cgroup.",
        lambda c: c.throttles,
        _throttles,
    ),
    _counter(
        "reclaimd_throttle_seconds",
        "The sum of the delays for the sake of protected cgroups.",
        lambda c: c.throttle_ms / MS_PER_S,
        _throttles,
    ),
    _counter("reclaimd_protections", "Times that protection began.", lambda c: c.protections, _protect),
    _counter(
        "reclaimd_ticks", "How often what charges cannot see was measured.", lambda c: c.ticks, _protect
    ),
    Number(
        "reclaimd_usage_bytes",
        Kind.GAUGE,
        "Memory that the cgroup is charged with (memory.current).",
        lambda governed: governed.reading.usage_bytes if governed.reading else None,
    ),
    _threshold(
        "reclaimd_start_bytes",
        "Lowest usage that a start condition compares with.",
        lambda subject: subject.start_bytes,
    ),
    _threshold(
        "reclaimd_stop_bytes",
        "Lowest usage that a stop condition compares with.",
        lambda subject: subject.stop_bytes,
    ),
    _threshold(
        "reclaimd_floor_bytes",
        "Usage below which nothing is reclaimed, where the policy has such a floor.",
        lambda subject: subject.floor_bytes,
    ),
    _threshold(
        "reclaimd_back_pressure_bytes",
        "Usage from which on back-pressure delays charges.",
        lambda subject: subject.back_pressure_bytes,
    ),
    _threshold("reclaimd_limit_bytes", "The cgroup's memory.max.", lambda subject: subject.limit_bytes),
    ByLabel(
        "reclaimd_pressure_seconds",
        Kind.COUNTER,
        "Time in which some, or all (full), tasks of the cgroup waited for memory (memory.pressure).",
        "share",
        _stalls,
    ),
    ByLabel("reclaimd_memory_events", Kind.COUNTER, "The cgroup's memory.events.", "event", _events),
)
