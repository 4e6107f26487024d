# SPDX-License-Identifier: GPL-2.0-or-later
"""What a charge costs with few and with many governed cgroups: as report.json holds it, and the mark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reclaimd.bench.mark import Mark, Ratio

SIZES = (1, 10, 100, 1000)
LIMIT = 1.1
CLAIM = f"a charge with {SIZES[-1]:,} governed cgroups costs at most {LIMIT:g} times that with one"
MIB = 1 << 20
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Point:
    """One number of governed cgroups: medians, and the cost in each turn.

    *apply_s* is how long the daemon took to load its configuration again, *rss_bytes* what memory it then had.
    """

    cgroups: int
    ns_per_charge: float
    apply_s: float
    rss_bytes: int
    turns_ns: Sequence[float]


def scale_mark(rows: Rows) -> Mark:
    """Return the mark about the cost of a charge; *rows* are those of the report."""
    turns = {row["cgroups"]: row["turns_ns"] for row in rows}
    if not turns.get(SIZES[0]) or not turns.get(SIZES[-1]):
        return Mark(7, CLAIM, "-", None)
    got = Ratio.of_turns(turns[SIZES[-1]], turns[SIZES[0]])
    return Mark(7, CLAIM, str(got), got.middle <= LIMIT)


def scale_rows(rows: Rows) -> list[list[str]]:
    """Return a table: a row for each number of cgroups."""
    heading = ["governed cgroups", "a charge, ns", "to apply all rules, s", "the daemon's memory, MiB"]
    return [heading, *(_row(row) for row in rows)]


def _row(row: Mapping[str, Any]) -> list[str]:
    turns = row["turns_ns"]
    cost = f"{row['ns_per_charge']:.0f} ({min(turns):.0f}-{max(turns):.0f})"
    return [f"{row['cgroups']:,}", cost, f"{row['apply_s']:.2f}", f"{row['rss_bytes'] / MIB:.0f}"]
