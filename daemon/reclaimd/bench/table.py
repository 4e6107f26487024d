# SPDX-License-Identifier: GPL-2.0-or-later
"""The runs as lines of text: one as each ends, and a table of medians and ranges."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median

from reclaimd.bench.experiment import Mode, Workload
from reclaimd.bench.report import Run, Skip, select

Value = Callable[[Run], float | None]
Titles = Mapping[Mode, str]

DEMO_TITLES: Titles = {Mode.NONE: "without reclaimd", Mode.RECLAIMD: "with reclaimd"}
"""The demo's modes as people read them."""
BENCH_TITLES: Titles = {mode: str(mode) for mode in Mode}

Measure = tuple[str, int, Value]
MEASURES: tuple[Measure, ...] = (
    ("max events", 0, lambda run: run.max_events),
    ("OOM kills", 0, lambda run: run.oom_kills),
    ("PSI some ms", 0, lambda run: run.psi_some_us / 1000),
    ("wall s", 2, lambda run: run.wall_s),
    ("p99.9 us", 0, lambda run: run.ops_p999_us),
    ("max ms", 0, lambda run: None if run.ops_max_us is None else run.ops_max_us / 1000),
    ("pgscan direct", 0, lambda run: run.pgscan_direct),
    ("pgscan proactive", 0, lambda run: run.pgscan_proactive),
    ("episodes", 0, lambda run: run.episodes),
    ("passes", 0, lambda run: run.passes),
    ("pages reclaimed", 0, lambda run: run.pages_reclaimed),
)
"""Of the demo's table: heading, decimals, value."""
BENCH_MEASURES: tuple[Measure, ...] = (
    ("max events", 0, lambda run: run.max_events),
    ("OOM kills", 0, lambda run: run.oom_kills),
    ("PSI some ms", 0, lambda run: run.psi_some_us / 1000),
    ("wall s", 2, lambda run: run.wall_s),
    ("p99 us", 0, lambda run: run.ops_p99_us),
    ("p99.9 us", 0, lambda run: run.ops_p999_us),
    ("max ms", 0, lambda run: None if run.ops_max_us is None else run.ops_max_us / 1000),
    ("neighbour p99.9 us", 0, lambda run: run.neighbour_p999_us),
    ("cgroup CPU s", 2, lambda run: run.cgroup_cpu_s),
    ("reclaim CPU s", 3, lambda run: run.reclaim_cpu_s),
    ("workers' part", 3, lambda run: run.worker_cpu_s or None),
    ("refaults", 0, lambda run: run.refaults_anon + run.refaults_file),
)
"""Of the benchmark's."""


def progress_line(done: int, total: int, told: Run | Skip, titles: Titles) -> str:
    """Return what is printed when a run has ended, or could not be made."""
    counter = f"[{done:{len(str(total))}}/{total}]"
    width = max(map(len, titles.values()))
    if isinstance(told, Skip):
        return f"{counter} {told.workload:8}  {titles[told.mode]:{width}}  cannot run: {told.reason}"
    figures = f"max events {told.max_events:5}   PSI some {told.psi_some_us / 1000:6.0f} ms   wall {told.wall_s:6.2f} s"
    return f"{counter} {told.name:8}  {titles[told.mode]:{width}}  run {told.run}   {figures}"


def spread(values: Sequence[float | None], decimals: int) -> str:
    """Return the median and, where they differ, the range: "731 (582-831)"; "-" where nothing was measured."""
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    middle, least, most = (f"{value:.{decimals}f}" for value in (median(known), min(known), max(known)))
    return middle if least == most else f"{middle} ({least}-{most})"


def by_workload(runs: Sequence[Run], workloads: Sequence[Workload], titles: Titles) -> str:
    """Return a block for each workload: a line for each measure, a column for each mode."""
    rows: list[list[str]] = []
    for workload in workloads:
        rows += [*_block(runs, workload, titles), [""] * (1 + len(titles))]
    return aligned(rows[:-1])


def by_mode(runs: Sequence[Run], workload: Workload, modes: Sequence[Mode]) -> list[list[str]]:
    """Return the rows of the benchmark's table of one workload: a heading, and a row for each mode with runs."""
    rows = [["mode", *(heading for heading, _, _ in BENCH_MEASURES)]]
    for mode in modes:
        if group := select(runs, workload, mode):
            cells = (spread([value(run) for run in group], decimals) for _, decimals, value in BENCH_MEASURES)
            rows.append([str(mode), *cells])
    used = [column for column in zip(*rows, strict=True) if set(column[1:]) != {"-"}]
    return [list(row) for row in zip(*used, strict=True)]


def _block(runs: Sequence[Run], workload: Workload, titles: Titles) -> Iterator[list[str]]:
    groups = [select(runs, workload, mode) for mode in titles]
    yield [str(workload), *titles.values()]
    for heading, decimals, value in MEASURES:
        yield [heading, *(spread([value(run) for run in group], decimals) for group in groups)]


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
