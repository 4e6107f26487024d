# SPDX-License-Identifier: GPL-2.0-or-later
"""What the runs must show, and whether they do."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from reclaimd.bench.experiment import ANON_128, DEMO_WORKLOADS, FILE_64, FILE_256, Mode, Workload
from reclaimd.bench.report import Run, select

CONTENDED_MAX_EVENTS = 300
"""Below this the workload did not press against its limit, and a comparison with it says nothing."""
ANON_MAX_EVENTS = 5
WALL_RATIO_LIMIT = 1.15


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must show; a miss of an essential one fails the demo."""

    claim: str
    figures: str
    met: bool
    essential: bool = False

    def __str__(self) -> str:
        """Return the line that is printed."""
        return f"{'met   ' if self.met else 'MISSED'}  {self.claim}: {self.figures}"


def checks(runs: Sequence[Run]) -> Iterator[Check]:
    """Yield every check of the runs."""
    without = select(runs, FILE_64, Mode.NONE)
    yield Check(
        f"{FILE_64} without reclaimd, max events over {CONTENDED_MAX_EVENTS} in each run",
        _each(without, _max_events),
        all(run.max_events > CONTENDED_MAX_EVENTS for run in without),
    )
    for workload, most in ((FILE_64, 0), (FILE_256, 0), (ANON_128, ANON_MAX_EVENTS)):
        yield _few_max_events(select(runs, workload, Mode.RECLAIMD), workload, most)
    governed = [run for run in runs if run.mode is Mode.RECLAIMD]
    kills = sum(run.oom_kills for run in governed)
    yield Check("with reclaimd, no OOM kill", str(kills), kills == 0, essential=True)
    yield from (_wall_time(runs, workload) for workload in DEMO_WORKLOADS)


def failed(made: Sequence[Check]) -> bool:
    """Tell whether the demo as a whole failed."""
    return any(check.essential and not check.met for check in made)


def _max_events(run: Run) -> int:
    return run.max_events


def _each(runs: Sequence[Run], value: Callable[[Run], int]) -> str:
    return " ".join(str(value(run)) for run in runs)


def _few_max_events(governed: Sequence[Run], workload: Workload, most: int) -> Check:
    return Check(
        f"{workload} with reclaimd, max events {f'at most {most}' if most else '0'} in each run",
        _each(governed, _max_events),
        all(run.max_events <= most for run in governed),
        essential=most == 0,
    )


def _wall_time(runs: Sequence[Run], workload: Workload) -> Check:
    without_s, with_s = (
        median(run.wall_s for run in select(runs, workload, mode)) for mode in (Mode.NONE, Mode.RECLAIMD)
    )
    ratio = with_s / without_s
    return Check(
        f"{workload}, median wall time with reclaimd at most {WALL_RATIO_LIMIT} times that without",
        f"{with_s:.2f} s / {without_s:.2f} s = {ratio:.2f}",
        ratio <= WALL_RATIO_LIMIT,
    )
