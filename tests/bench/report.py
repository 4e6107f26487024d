# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run measured, as the guest sends it and as report.json holds it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tests.bench.experiment import Kind, Mode, Workload


@dataclass(frozen=True, slots=True)
class Run:
    """One run; the fields are the keys of report.json.

    Latencies are those of single accesses, and None where the workload was killed before it could tell them.
    Episodes, passes and pages reclaimed are the daemon's own count, 0 without it.
    """

    mode: Mode
    workload: Kind
    size_mib: int
    limit_mib: int
    run: int
    max_events: int
    high_events: int
    oom_kills: int
    psi_some_us: int
    pgscan_direct: int
    pgscan_proactive: int
    wall_s: float
    episodes: int
    passes: int
    pages_reclaimed: int
    p50_us: float | None
    p99_us: float | None
    p999_us: float | None
    max_us: float | None

    @property
    def of(self) -> Workload:
        """The workload and its size."""
        return Workload(self.workload, self.size_mib)


@dataclass(frozen=True, slots=True)
class Sample:
    """memory.current at a moment after the workload's start (before it when negative)."""

    at_us: int
    current_bytes: int


@dataclass(frozen=True, slots=True)
class Measurement:
    """A run and how memory.current went meanwhile."""

    run: Run
    timeline: tuple[Sample, ...]

    def to_line(self) -> str:
        """Return the line of JSON that goes from the guest to the host."""
        samples = [[sample.at_us, sample.current_bytes] for sample in self.timeline]
        return json.dumps({"run": asdict(self.run), "timeline": samples})


def measurement_from_line(line: str) -> Measurement:
    """Read what Measurement.to_line() wrote."""
    fields: dict[str, Any] = json.loads(line)
    run = fields["run"]
    run |= {"mode": Mode(run["mode"]), "workload": Kind(run["workload"])}
    return Measurement(Run(**run), tuple(Sample(*sample) for sample in fields["timeline"]))


def select(runs: Sequence[Run], workload: Workload, mode: Mode) -> list[Run]:
    """Return the runs of one workload in one mode, in order."""
    return [run for run in runs if run.of == workload and run.mode is mode]


def report_json(kernel: str, accel: str, runs: Sequence[Run]) -> str:
    """Return the text of report.json: the kernel's release, QEMU's accelerator and every run."""
    report = {"kernel": kernel, "accel": accel, "runs": [asdict(run) for run in runs]}
    return json.dumps(report, indent=2) + "\n"
