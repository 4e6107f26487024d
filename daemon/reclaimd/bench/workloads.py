# SPDX-License-Identifier: GPL-2.0-or-later
"""Running a workload in the cgroups of a run."""

import json
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reclaimd.bench.experiment import Kind, Workload

NS_PER_S = 1_000_000_000
Command = Sequence[str | Path]


@dataclass(frozen=True, slots=True)
class Latencies:
    """Of single operations, in us."""

    p50_us: float
    p99_us: float
    p999_us: float
    max_us: float


@dataclass(frozen=True, slots=True)
class Timings:
    """What a workload told of itself; there are no latencies if it was killed before it could."""

    started_ns: int
    wall_s: float
    operations: int = 0
    latencies: Latencies | None = None
    neighbour: Latencies | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a workload runs: the compiled helpers, a directory on a disk, and its cgroups' directories."""

    programs: Path
    disk: Path
    cgroups: Sequence[Path]


def command_of(workload: Workload, place: Place) -> Command:
    """Return the command line of workload.c for what it can do."""
    action = {Kind.FORK: Kind.ANON, Kind.CGROUPS: Kind.FILE}.get(workload.kind, workload.kind)
    size_mib = workload.size_mib // workload.processes
    command: list[str | Path] = [place.programs / "workload", action, "--size-mib", str(size_mib)]
    command += ["--processes", str(workload.processes)]
    for cgroup in place.cgroups:
        command += ["--cgroup", cgroup]
    if action is Kind.FILE:
        command += ["--path", place.disk / "data"]
    return command


def run_program(command: Command) -> Timings:
    """Run a helper that waits for its start signal and prints its timings as JSON."""
    started_ns = time.monotonic_ns()
    # The byte is the start signal; the workload reads it once it is in its cgroup.
    ended = subprocess.run(command, input="x", stdout=subprocess.PIPE, text=True, check=False)
    if ended.returncode == -signal.SIGKILL:
        return Timings(started_ns, (time.monotonic_ns() - started_ns) / NS_PER_S)
    ended.check_returncode()
    return timings(ended.stdout)


def timings(text: str) -> Timings:
    """Read a helper's line of JSON."""
    told: dict[str, Any] = json.loads(text)
    latencies = Latencies(told["p50_us"], told["p99_us"], told["p999_us"], told["max_us"])
    return Timings(told["started_ns"], told["wall_s"], told["operations"], latencies)
