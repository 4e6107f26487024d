# SPDX-License-Identifier: GPL-2.0-or-later
"""One run in the guest: a fresh cgroup, governed or not, the workload in it and its sampler outside."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.bench import readings
from tests.bench.daemon import NOTHING, Daemon, Totals
from tests.bench.experiment import LIMIT_MIB, PARENTS, Case, Kind, Mode, Workload
from tests.bench.report import Measurement, Run, Sample

CGROUP_ROOT = Path("/sys/fs/cgroup")
MIB = 1 << 20
NS_PER_US = 1000
NS_PER_S = 1_000_000_000
SAMPLE_INTERVAL_US = 5000


@dataclass(frozen=True, slots=True)
class Setup:
    """What a run needs: the daemon, the directory of the compiled helpers, a disk to write to."""

    daemon: Daemon
    programs: Path
    disk: Path


@dataclass(frozen=True, slots=True)
class Timings:
    """What the workload told of itself; latencies are None if it was killed before it could."""

    started_ns: int
    wall_s: float
    p50_us: float | None = None
    p99_us: float | None = None
    p999_us: float | None = None
    max_us: float | None = None


def make_parents() -> None:
    """Make the parents of all runs' cgroups, and give their children the memory controller."""
    for parent in map(_directory, PARENTS.values()):
        parent.mkdir(exist_ok=True)
        (parent / "cgroup.subtree_control").write_text("+memory")


def measure(setup: Setup, case: Case) -> Measurement:
    """Make one run.

    Raises:
        DaemonError: the daemon did not govern the cgroup, or did not answer.
        CalledProcessError: the workload or the sampler failed.
        OSError: the cgroup could not be made, read or removed.
    """
    cgroup = _directory(case.cgroup)
    totals = NOTHING
    with _fresh_cgroup(cgroup, case.workload.kind):
        if case.mode is Mode.RECLAIMD:
            setup.daemon.wait_until_in_force(case.cgroup)
            setup.daemon.wait_until_idle()
        timings, samples = _work(setup, case.workload, cgroup)
        if case.mode is Mode.RECLAIMD:
            totals = setup.daemon.totals(case.cgroup)
        counted = readings.read(cgroup)
    return Measurement(_run(case, timings, totals, counted), timeline(samples, timings))


def timeline(samples: Sequence[tuple[int, int]], timings: Timings) -> tuple[Sample, ...]:
    """Return samples (CLOCK_MONOTONIC ns, bytes) by their time from the workload's start, up to its end."""
    end_ns = timings.started_ns + int(timings.wall_s * NS_PER_S)
    return tuple(
        Sample((at_ns - timings.started_ns) // NS_PER_US, current_bytes)
        for at_ns, current_bytes in samples
        if at_ns <= end_ns
    )


def _run(case: Case, timings: Timings, totals: Totals, counted: readings.Readings) -> Run:
    told = asdict(timings)
    del told["started_ns"]
    return Run(
        mode=case.mode,
        workload=case.workload.kind,
        size_mib=case.workload.size_mib,
        limit_mib=LIMIT_MIB,
        run=case.run,
        **asdict(counted),
        **asdict(totals),
        **told,
    )


def _directory(cgroup: str) -> Path:
    return CGROUP_ROOT / cgroup.lstrip("/")


@contextmanager
def _fresh_cgroup(cgroup: Path, kind: Kind) -> Iterator[None]:
    """Make the cgroup with its limit and remove it afterwards; there is no swap where files are measured."""
    cgroup.mkdir()
    try:
        (cgroup / "memory.max").write_text(str(LIMIT_MIB * MIB))
        if kind is Kind.FILE:
            (cgroup / "memory.swap.max").write_text("0")
        yield
    finally:
        cgroup.rmdir()


def _work(setup: Setup, workload: Workload, cgroup: Path) -> tuple[Timings, list[tuple[int, int]]]:
    """Run the workload and its sampler on a page cache without leftovers of earlier runs."""
    file = setup.disk / "demo.data"
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")
    try:
        with _sampler(setup.programs / "sampler", cgroup) as samples:
            timings = _run_workload(setup.programs / "workload", workload, cgroup, file)
    finally:
        file.unlink(missing_ok=True)
    return timings, samples


@contextmanager
def _sampler(program: Path, cgroup: Path) -> Iterator[list[tuple[int, int]]]:
    """Sample memory.current from outside the cgroup; the list is filled on leaving."""
    samples: list[tuple[int, int]] = []
    command: list[str | Path] = [program, "--path", cgroup / "memory.current"]
    command += ["--interval-us", str(SAMPLE_INTERVAL_US)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # for the type checker: it is a pipe
        process.stdout.readline()  # its heading: from now on it samples
        yield samples
        output, _ = process.communicate()
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    for line in output.splitlines():
        at_ns, current_bytes = line.split()
        samples.append((int(at_ns), int(current_bytes)))


def _run_workload(program: Path, workload: Workload, cgroup: Path, file: Path) -> Timings:
    """Run the workload to its end, or until the kernel kills it for want of memory."""
    command: list[str | Path] = [
        program,
        workload.kind,
        "--size-mib",
        str(workload.size_mib),
        "--cgroup",
        cgroup,
    ]
    if workload.kind is Kind.FILE:
        command += ["--path", file]
    started_ns = time.monotonic_ns()
    # The byte is the start signal; the workload reads it once it is in the cgroup.
    ended = subprocess.run(command, input="x", stdout=subprocess.PIPE, text=True, check=False)
    if ended.returncode == -signal.SIGKILL:
        return Timings(started_ns, (time.monotonic_ns() - started_ns) / NS_PER_S)
    ended.check_returncode()
    told: dict[str, Any] = json.loads(ended.stdout)
    del told["operations"]
    return Timings(**told)
