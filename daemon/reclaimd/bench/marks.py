# SPDX-License-Identifier: GPL-2.0-or-later
"""The marks that reclaimd as shipped is to reach beside the others, with their figures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from reclaimd.bench.experiment import ANON_128, BURST_48, FILE_64, FILE_256, Mode, Workload
from reclaimd.bench.mark import Mark, Ratio
from reclaimd.bench.micro_report import micro_marks
from reclaimd.bench.report import Run, select
from reclaimd.bench.scale_report import scale_mark

STALL_WORKLOADS = (FILE_64, FILE_256, ANON_128, BURST_48)
STALL_OF_LOOP, STALL_OF_NONE = 0.5, 0.1
BEHIND_BEST = 1.03
REACTION_P50_US, REACTION_P99_US = 100, 1000
Value = Callable[[Run], float | None]


def ratio(runs: Sequence[Run], workload: Workload, value: Value, modes: tuple[Mode, Mode]) -> Ratio | None:
    """Return the first mode's *value* by the second's; None where one was not measured, or is nothing."""
    over, under = (
        {run.run: known for run in select(runs, workload, mode) if (known := value(run)) is not None}
        for mode in modes
    )
    turns = [over[turn] / under[turn] for turn in over.keys() & under.keys() if under[turn]]
    if not turns or not (middle := median(under.values())):
        return None
    return Ratio(median(over.values()) / middle, min(turns), max(turns))


def best_mode(runs: Sequence[Run], workload: Workload, value: Value) -> Mode | None:
    """Return the mode, reclaimd as shipped apart, whose median of *value* is the lowest."""
    medians = {
        mode: median(known)
        for mode in Mode
        if mode is not Mode.RECLAIMD
        and (known := [got for run in select(runs, workload, mode) if (got := value(run)) is not None])
    }
    return min(medians, key=lambda mode: medians[mode]) if medians else None


def marks(runs: Sequence[Run], workloads: Sequence[Workload], more: Mapping[str, Any]) -> Iterator[Mark]:
    """Yield all marks; *more* is what the report has besides the runs."""
    for workload in workloads:
        yield _no_limit_met(runs, workload)
    for workload in STALL_WORKLOADS:
        if workload in workloads:
            yield _stall(runs, workload, Mode.LOOP_1_MS, STALL_OF_LOOP)
            yield _stall(runs, workload, Mode.NONE, STALL_OF_NONE)
    for workload in workloads:
        yield _not_behind(runs, workload, "wall time", lambda run: run.wall_s, BEHIND_BEST)
        yield _not_behind(runs, workload, "p99.9", lambda run: run.ops_p999_us, 1.0)
    for workload in workloads:
        yield _cpu(runs, workload)
    yield from micro_marks(more.get("micro") or {})
    yield _reaction(more.get("reaction") or {})
    yield scale_mark(more.get("scale") or [])


def _no_limit_met(runs: Sequence[Run], workload: Workload) -> Mark:
    governed = select(runs, workload, Mode.RECLAIMD)
    figures = " ".join(f"{run.max_events}+{run.oom_kills}" for run in governed)
    reached = all(run.max_events == 0 and run.oom_kills == 0 for run in governed) if governed else None
    return Mark(1, f"{workload}: max events and OOM kills 0 in every run", figures or "-", reached)


def _stall(runs: Sequence[Run], workload: Workload, other: Mode, most: float) -> Mark:
    got = ratio(runs, workload, lambda run: run.psi_some_us, (Mode.RECLAIMD, other))
    claim = f"{workload}: PSI some at most {most:g} times that of {other}"
    return Mark(2, claim, str(got or "-"), got.middle <= most if got else None)


def _not_behind(runs: Sequence[Run], workload: Workload, what: str, value: Value, most: float) -> Mark:
    best = best_mode(runs, workload, value)
    got = ratio(runs, workload, value, (Mode.RECLAIMD, best)) if best else None
    claim = f"{workload}: {what} at most {most:g} times that of the best"
    return Mark(3, claim, f"{got}, best is {best}" if got else "-", got.middle <= most if got else None)


def _cpu(runs: Sequence[Run], workload: Workload) -> Mark:
    got = ratio(runs, workload, lambda run: run.reclaim_cpu_s, (Mode.RECLAIMD, Mode.LOOP_1_MS))
    claim = f"{workload}: CPU time spent on reclaim at most that of {Mode.LOOP_1_MS}"
    return Mark(4, claim, str(got or "-"), got.middle <= 1 if got else None)


def _reaction(reaction: Mapping[str, Any]) -> Mark:
    claim = (
        f"a CPU idle: from the trigger to the first page, p50 at most {REACTION_P50_US} us, p99 at most 1 ms"
    )
    idle = reaction.get("cpu_idle")
    if not idle or idle["p50_us"] is None:
        return Mark(6, claim, "-", None)
    reached = idle["p50_us"] <= REACTION_P50_US and idle["p99_us"] <= REACTION_P99_US
    return Mark(6, claim, f"p50 {idle['p50_us']:g} us, p99 {idle['p99_us']:g} us", reached)
