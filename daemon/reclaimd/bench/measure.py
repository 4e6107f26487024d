# SPDX-License-Identifier: GPL-2.0-or-later
"""One run: fresh cgroups, somebody who reclaims from them or nobody, the workload in them, its sampler outside."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reclaimd.bench import readings
from reclaimd.bench.compile import compile_sources
from reclaimd.bench.experiment import Case, Kind, Workload
from reclaimd.bench.place import remove_cgroup
from reclaimd.bench.reclaimers import Bill, Setup, Target, reclaiming
from reclaimd.bench.redis import BATCH, SERVER, serve
from reclaimd.bench.report import Measurement, Run, Sample
from reclaimd.bench.unavailable import UnavailableError
from reclaimd.bench.workloads import Latencies, Place, Timings, command_of, run_program

MIB = 1 << 20
NS_PER_US = 1000
NS_PER_S = 1_000_000_000
US_PER_S = 1_000_000
SAMPLE_INTERVAL_US = 5000
RUN_LIMIT_S = 120.0
"""A workload is killed then: some modes have some workloads do next to nothing but wait."""


def measure(setup: Setup, case: Case) -> Measurement:
    """Make one run.

    Raises:
        UnavailableError: the mode cannot run here, or not with this workload.
        DaemonError: the daemon did not govern the cgroups, or did not answer.
        CalledProcessError: the workload, the sampler or the reclaimer failed.
        OSError: a cgroup could not be made, read or removed.
    """
    limit_bytes = case.workload.limit_mib * MIB
    targets = [setup.target(cgroup, limit_bytes) for cgroup in case.cgroups]
    directories = [target.directory for target in targets]
    with (
        fresh_cgroups(targets, case.workload),
        reclaiming(case.mode, targets, setup) as reclaimer,
    ):
        timings, samples = work_on_clean_disk(setup, case.workload, directories)
        bill = reclaimer.bill()
        counted = readings.read_all(directories)
    return Measurement(_run(case, timings, bill, counted), timeline(samples, timings))


def timeline(samples: Sequence[tuple[int, int]], timings: Timings) -> tuple[Sample, ...]:
    """Return samples (CLOCK_MONOTONIC ns, bytes) by their time from the workload's start, up to its end."""
    end_ns = timings.started_ns + int(timings.wall_s * NS_PER_S)
    return tuple(
        Sample((at_ns - timings.started_ns) // NS_PER_US, current_bytes)
        for at_ns, current_bytes in samples
        if at_ns <= end_ns
    )


def _run(case: Case, timings: Timings, bill: Bill, counted: readings.Readings) -> Run:
    kernel, daemon = asdict(counted), asdict(bill.totals)
    cgroup_cpu_us = kernel.pop("cgroup_cpu_us")
    return Run(
        mode=case.mode,
        workload=case.workload.kind,
        size_mib=case.workload.size_mib,
        limit_mib=case.workload.limit_mib,
        cgroups=case.workload.cgroups,
        run=case.run,
        wall_s=timings.wall_s,
        cgroup_cpu_s=cgroup_cpu_us / US_PER_S,
        reclaim_cpu_s=bill.cpu_s,
        ops_per_s=timings.operations / timings.wall_s if timings.operations else None,
        **kernel,
        **daemon,
        **_prefixed("ops", timings.latencies),
        **_prefixed("neighbour", timings.neighbour),
    )


def _prefixed(whose: str, latencies: Latencies | None) -> dict[str, Any]:
    return {f"{whose}_{name}": value for name, value in asdict(latencies).items()} if latencies else {}


@contextmanager
def fresh_cgroups(targets: Sequence[Target], workload: Workload) -> Iterator[None]:
    """Make the cgroups with their limits, and those below them, and remove all afterwards."""
    made: list[Path] = []
    try:
        for target in targets:
            target.directory.mkdir()
            made.append(target.directory)
            (target.directory / "memory.max").write_text(str(target.limit_bytes))
            if not workload.swaps:
                (target.directory / "memory.swap.max").write_text("0")
            if workload.kind is Kind.REDIS:
                (target.directory / "cgroup.subtree_control").write_text("+memory")
                for name in (SERVER, BATCH):
                    (target.directory / name).mkdir()
                    made.append(target.directory / name)
        yield
    finally:
        for directory in reversed(made):
            remove_cgroup(directory)


def work_on_clean_disk(
    setup: Setup, workload: Workload, cgroups: Sequence[Path]
) -> tuple[Timings, list[tuple[int, int]]]:
    """Run the workload and its sampler on a page cache and a disk without leftovers of earlier runs."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")
    try:
        with _sampler(setup.programs / "sampler", cgroups[0]) as samples:
            timings = work(setup, workload, Place(setup.programs, setup.disk, cgroups))
    finally:
        for left in setup.disk.glob("data*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    return timings, samples


def work(setup: Setup, workload: Workload, place: Place) -> Timings:
    """Run the workload to its end, or until the kernel kills it for want of memory.

    Raises:
        UnavailableError: this host lacks what it takes, or it took longer than RUN_LIMIT_S.
        CalledProcessError: it failed.
    """
    with killed_after(RUN_LIMIT_S, place.cgroups):
        match workload.kind:
            case Kind.COMPILE:
                return compile_sources(setup.sources, place)
            case Kind.REDIS:
                return serve(place, workload.size_mib)
            case _:
                return run_program(command_of(workload, place))


@contextmanager
def killed_after(limit_s: float, cgroups: Sequence[Path]) -> Iterator[None]:
    """Kill what is in the cgroups if the context lasts longer than *limit_s*.

    Raises:
        UnavailableError: it did, whatever has become of its programs then.
    """
    killed = threading.Event()

    def kill() -> None:
        killed.set()
        for cgroup in cgroups:
            (cgroup / "cgroup.kill").write_text("1")

    timer = threading.Timer(limit_s, kill)
    timer.start()
    try:
        yield
    except subprocess.CalledProcessError:
        if not killed.is_set():
            raise
    finally:
        timer.cancel()
        timer.join()
    if killed.is_set():
        raise UnavailableError(f"it was not done after {limit_s:g} s")


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
