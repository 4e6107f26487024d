# SPDX-License-Identifier: GPL-2.0-or-later
"""What the daemon costs with so many cgroups, and whether that is within its marks."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

MIB = 1 << 20

#: Cgroups that the daemon is measured with; the marks are for the second, and for what the third is to it.
SIZES = (100, 1000, 2000)

MAX_RSS_BYTES = 64 * MIB
MAX_IDLE_CPU_PERCENT = 0.5
MAX_READY_S = 10.0
MAX_SCRAPE_S = 1.0
MAX_GROWTH = 2.2
#: Below this, a CPU time is what the measuring itself costs, and says nothing of growth.
NEGLIGIBLE_CPU_PERCENT = 0.02


@dataclass(frozen=True, slots=True)
class Point:
    """The daemon with a number of governed cgroups in which nothing happens; the fields are keys of report.json.

    Attributes:
        cgroups: how many.
        rss_bytes: resident memory, once it has been scraped.
        idle_cpu_percent: of one CPU.
        ready_s: from its start until all rules are in force.
        scrape_s: one scrape, the median of some.
    """

    cgroups: int
    rss_bytes: int
    idle_cpu_percent: float
    ready_s: float
    scrape_s: float

    def to_line(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(asdict(self))


def point_from_line(line: str) -> Point:
    """Return what to_line() made."""
    return Point(**json.loads(line))


def report_json(points: Sequence[Point]) -> str:
    """Return the report's text."""
    return json.dumps({"points": [asdict(point) for point in points]}, indent=2) + "\n"


def row(point: Point) -> str:
    """Return a point for people."""
    return (
        f"{point.cgroups:5} cgroups: {point.rss_bytes / MIB:6.1f} MiB, {point.idle_cpu_percent:5.2f} % CPU idle,"
        f" ready after {point.ready_s:5.2f} s, a scrape takes {point.scrape_s:5.2f} s"
    )


def verdict(points: Sequence[Point]) -> Iterator[tuple[bool, str]]:
    """Yield whether each mark is met, and how it is told."""
    by_size = {point.cgroups: point for point in points}
    _, middle, large = (by_size[size] for size in SIZES)
    for name, value, mark in (
        ("rss_bytes", middle.rss_bytes, MAX_RSS_BYTES),
        ("idle_cpu_percent", middle.idle_cpu_percent, MAX_IDLE_CPU_PERCENT),
        ("ready_s", middle.ready_s, MAX_READY_S),
        ("scrape_s", middle.scrape_s, MAX_SCRAPE_S),
    ):
        yield value <= mark, f"{name} with {middle.cgroups} cgroups: {value:.4g}, at most {mark:g}"
    for name, before, after in (
        ("rss_bytes", middle.rss_bytes, large.rss_bytes),
        ("ready_s", middle.ready_s, large.ready_s),
        ("scrape_s", middle.scrape_s, large.scrape_s),
    ):
        growth = after / before
        yield growth <= MAX_GROWTH, _growth(name, growth)
    if large.idle_cpu_percent > NEGLIGIBLE_CPU_PERCENT:
        growth = large.idle_cpu_percent / max(middle.idle_cpu_percent, NEGLIGIBLE_CPU_PERCENT)
        yield growth <= MAX_GROWTH, _growth("idle_cpu_percent", growth)


def _growth(name: str, growth: float) -> str:
    return f"{name} from {SIZES[1]} to {SIZES[2]} cgroups: {growth:.2f} times, at most {MAX_GROWTH}"
