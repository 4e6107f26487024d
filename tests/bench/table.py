# SPDX-License-Identifier: GPL-2.0-or-later
"""The runs as lines of text: one as each ends, and a table of medians and ranges."""

from collections.abc import Callable, Iterator, Sequence
from statistics import median

from tests.bench.experiment import TITLES, WORKLOADS, Mode, Workload
from tests.bench.report import Run, select

Value = Callable[[Run], float | None]

MEASURES: tuple[tuple[str, int, Value], ...] = (
    ("max events", 0, lambda run: run.max_events),
    ("OOM kills", 0, lambda run: run.oom_kills),
    ("PSI some ms", 0, lambda run: run.psi_some_us / 1000),
    ("wall s", 2, lambda run: run.wall_s),
    ("p99.9 us", 0, lambda run: run.p999_us),
    ("max ms", 0, lambda run: None if run.max_us is None else run.max_us / 1000),
    ("pgscan direct", 0, lambda run: run.pgscan_direct),
    ("pgscan proactive", 0, lambda run: run.pgscan_proactive),
    ("episodes", 0, lambda run: run.episodes),
    ("passes", 0, lambda run: run.passes),
    ("pages reclaimed", 0, lambda run: run.pages_reclaimed),
)
"""Heading, decimals, value."""


def progress_line(done: int, total: int, run: Run) -> str:
    """Return what is printed when a run has ended."""
    counter = f"[{done:{len(str(total))}}/{total}]"
    figures = f"max events {run.max_events:5}   PSI some {run.psi_some_us / 1000:6.0f} ms   wall {run.wall_s:6.2f} s"
    return f"{counter} {run.of!s:8}  {TITLES[run.mode]:16}  run {run.run}   {figures}"


def spread(values: Sequence[float | None], decimals: int) -> str:
    """Return the median and, where they differ, the range: "731 (582-831)"; "-" where nothing was measured."""
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    middle, least, most = (f"{value:.{decimals}f}" for value in (median(known), min(known), max(known)))
    return middle if least == most else f"{middle} ({least}-{most})"


def table(runs: Sequence[Run]) -> str:
    """Return a block for each workload: a line for each measure, a column for each mode."""
    rows: list[list[str]] = []
    for workload in WORKLOADS:
        rows += [*_block(runs, workload), ["", "", ""]]
    return aligned(rows[:-1])


def _block(runs: Sequence[Run], workload: Workload) -> Iterator[list[str]]:
    by_mode = [select(runs, workload, mode) for mode in Mode]
    yield [str(workload), *(TITLES[mode] for mode in Mode)]
    for heading, decimals, value in MEASURES:
        yield [heading, *(spread([value(run) for run in group], decimals) for group in by_mode)]


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return lines with the first column to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width) for column, (cell, width) in enumerate(cells)
        )
        for cells in (zip(row, widths, strict=True) for row in rows)
    )
    return "\n".join(line.rstrip() for line in lines)
