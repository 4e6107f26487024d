# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run measured, as runs.jsonl and report.json hold it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from reclaimd.bench.experiment import Kind, Mode, Workload


@dataclass(frozen=True, slots=True)
class Run:
    """One run; the fields are the keys of report.json.

    Latencies are those of single operations of the workload, and of its neighbour where it has one. They are None
    where there are none, or where the workload was killed before it could tell them. reclaim_cpu_s is the CPU time
    of whoever reclaimed apart from the workload's own tasks, None where nobody did; cgroup_cpu_s is what the
    workload's cgroups are charged for. Episodes, passes, pages reclaimed and delays are the daemon's count;
    worker_cpu_s is the part of reclaim_cpu_s that the kernel's workers took for it.
    """

    mode: Mode
    workload: Kind
    size_mib: int
    limit_mib: int
    cgroups: int
    run: int
    max_events: int
    high_events: int
    oom_kills: int
    psi_some_us: int
    psi_full_us: int
    pgscan_direct: int
    pgscan_proactive: int
    pgsteal_direct: int
    pgsteal_proactive: int
    refaults_anon: int
    refaults_file: int
    wall_s: float
    cgroup_cpu_s: float
    reclaim_cpu_s: float | None
    episodes: int
    passes: int
    pages_reclaimed: int
    delays: int
    delay_s: float
    worker_cpu_s: float
    ops_per_s: float | None = None
    ops_p50_us: float | None = None
    ops_p99_us: float | None = None
    ops_p999_us: float | None = None
    ops_max_us: float | None = None
    neighbour_p50_us: float | None = None
    neighbour_p99_us: float | None = None
    neighbour_p999_us: float | None = None
    neighbour_max_us: float | None = None

    @property
    def name(self) -> str:
        """The workload's name as in the tables."""
        return str(Workload(self.workload, self.size_mib))


@dataclass(frozen=True, slots=True)
class Sample:
    """memory.current at a moment after the workload's start (before it when negative)."""

    at_us: int
    current_bytes: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """A run and how memory.current of its first cgroup went meanwhile."""

    run: Run
    timeline: tuple[Sample, ...]

    def to_line(self) -> str:
        """Return it as a line of JSON."""
        samples = [[sample.at_us, sample.current_bytes] for sample in self.timeline]
        return json.dumps({"run": asdict(self.run), "timeline": samples})


@dataclass(frozen=True, slots=True)
class Skip:
    """A run that could not be made, and why."""

    mode: Mode
    workload: str
    reason: str

    def to_line(self) -> str:
        """Return it as a line of JSON."""
        return json.dumps({"skip": asdict(self)})


@dataclass(slots=True)
class Results:
    """All runs so far."""

    measurements: list[Measurement] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)

    @property
    def runs(self) -> list[Run]:
        """The runs, in the order in which they were made."""
        return [measurement.run for measurement in self.measurements]

    def add_line(self, line: str) -> Run | Skip:
        """Take a line of JSON, and return the run or the skip that it is about."""
        fields: dict[str, Any] = json.loads(line)
        if "skip" in fields:
            skip = Skip(**(fields["skip"] | {"mode": Mode(fields["skip"]["mode"])}))
            self.skips.append(skip)
            return skip
        samples = tuple(Sample(*sample) for sample in fields["timeline"])
        measurement = Measurement(run_from_json(fields["run"]), samples)
        self.measurements.append(measurement)
        return measurement.run


def run_from_json(fields: dict[str, Any]) -> Run:
    """Return the run that has these fields in the report."""
    words = {"mode": Mode(fields["mode"]), "workload": Kind(fields["workload"])}
    return Run(**(fields | words))


def select(runs: Sequence[Run], workload: Workload, mode: Mode) -> list[Run]:
    """Return the runs of one workload in one mode, in order."""
    return [run for run in runs if run.name == str(workload) and run.mode is mode]


def report_json(runs: Sequence[Run], **more: object) -> str:
    """Return the text of report.json: what else there is, and every run."""
    report = {**more, "runs": [asdict(run) for run in runs]}
    return json.dumps(report, indent=2) + "\n"
