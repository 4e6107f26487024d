# SPDX-License-Identifier: GPL-2.0-or-later
"""Making all runs, and what else is measured."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from reclaimd.bench.compile import limit_mib
from reclaimd.bench.experiment import FILE_64, PLAIN_PARENT, Case, Mode, Workload, cases
from reclaimd.bench.measure import fresh_cgroups, measure, work_on_clean_disk
from reclaimd.bench.reaction import measure_reactions
from reclaimd.bench.reclaimers import Setup
from reclaimd.bench.report import Measurement, Skip
from reclaimd.bench.scale import measure_scale
from reclaimd.bench.unavailable import UnavailableError

ROOMY_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Plan:
    """Which runs are to be made."""

    workloads: Sequence[Workload]
    modes: Sequence[Mode]
    runs: int

    @property
    def total(self) -> int:
        """How many runs these are."""
        return len(self.workloads) * len(self.modes) * self.runs


def make_runs(setup: Setup, plan: Plan) -> Iterator[Measurement | Skip]:
    """Make all runs; yield each as it ends. A mode that cannot run a workload is tried once.

    Raises:
        DaemonError: the daemon did not do what the runs need.
        CalledProcessError: a helper failed.
        OSError: a cgroup or a file could not be made or read.
    """
    for mode in (Mode.NONE, Mode.RECLAIMD):
        # Not reported: the first runs of all pay for a disk that has not been written to, and for cold caches.
        with suppress(UnavailableError):
            measure(setup, Case(FILE_64, mode, 0))
    unavailable: set[tuple[str, Mode]] = set()
    limited = [_limited(setup, workload) for workload in plan.workloads]
    for case in cases(limited, plan.modes, plan.runs):
        tried = (str(case.workload), case.mode)
        if tried in unavailable:
            continue
        try:
            yield measure(setup, case)
        except UnavailableError as error:
            unavailable.add(tried)
            yield Skip(case.mode, str(case.workload), str(error))


def reactions(setup: Setup) -> dict[str, Any]:
    """Measure how soon the daemon's rules reclaim, for the report."""
    try:
        return {name: asdict(got) for name, got in measure_reactions(setup).items()}
    except UnavailableError as error:
        return {"unavailable": str(error)}


def scale(setup: Setup) -> list[dict[str, Any]]:
    """Measure what charges cost with many governed cgroups, for the report."""
    try:
        return measure_scale(setup)
    except UnavailableError:
        return []


Measured = Callable[[Setup], object]
FURTHER: dict[str, Measured] = {"reaction": reactions, "scale": scale}
"""What else is measured of reclaimd, by its key in the report."""


def _limited(setup: Setup, workload: Workload) -> Workload:
    """Return the workload with its limit: where it has none, by what it takes without one."""
    if workload.limit_mib:
        return workload
    target = setup.target(f"{PLAIN_PARENT}/peak", ROOMY_BYTES)
    try:
        with fresh_cgroups([target], workload):
            work_on_clean_disk(setup, workload, [target.directory])
            return replace(workload, limit_mib=limit_mib(target.directory))
    except UnavailableError:
        return replace(workload, limit_mib=1)  # its runs say why they cannot be made
