# SPDX-License-Identifier: GPL-2.0-or-later
"""The runs as a table, and what they must show."""

from collections.abc import Iterator, Sequence

from reclaimd.bench.table import aligned, spread
from tests.bench.protect.experiment import Mode, Name, Run, Scenario, throughputs, typical

IDLE_GAIN = 10.0
"""What `low` must get done while `high` sleeps, as a multiple of what static memory.low leaves it."""
ACTIVE_SHARE = 0.85
"""What `high` must keep of what memory.low gives it while both work."""

ROWS = (
    (Scenario.HIGH_IDLE, Name.LOW, "high sleeps: low"),
    (Scenario.BOTH_ACTIVE, Name.HIGH, "both work: high"),
    (Scenario.BOTH_ACTIVE, Name.LOW, "both work: low"),
)


def table(runs: Sequence[Run]) -> str:
    """Return operations per second, median and range: a line for each cgroup that works, a column for each mode."""
    rows = [["operations/s", *Mode]]
    for scenario, cgroup, heading in ROWS:
        cells = (spread(throughputs(runs, scenario, mode, cgroup), 0) for mode in Mode)
        rows.append([heading, *cells])
    return aligned(rows)


def checks(runs: Sequence[Run]) -> Iterator[tuple[bool, str]]:
    """Yield each thing that must show: whether it does, and the line to print."""
    idle, still = (
        typical(runs, Scenario.HIGH_IDLE, mode, Name.LOW) for mode in (Mode.RECLAIMD, Mode.MEMORY_LOW)
    )
    yield _check(
        f"high sleeps: low gets at least {IDLE_GAIN:g} times what memory.low leaves it",
        idle,
        still,
        IDLE_GAIN,
    )
    kept, given = (
        typical(runs, Scenario.BOTH_ACTIVE, mode, Name.HIGH) for mode in (Mode.RECLAIMD, Mode.MEMORY_LOW)
    )
    yield _check(
        f"both work: high keeps at least {ACTIVE_SHARE:g} of what memory.low gives it",
        kept,
        given,
        ACTIVE_SHARE,
    )


def _check(claim: str, figure: float, other: float, least: float) -> tuple[bool, str]:
    met = figure >= least * other
    ratio = f"{figure:.0f} / {other:.0f} = {figure / other:.2f}" if other else f"{figure:.0f} / 0"
    return met, f"{'met   ' if met else 'MISSED'}  {claim}: {ratio}"
