# SPDX-License-Identifier: GPL-2.0-or-later
"""The experiment's side in the VM: makes every run and reports its throughputs to the host, a line for each.

Standard library only: the host's packages are not here.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reclaimd.bench import exposition
from reclaimd.bench.daemon import DaemonError, DaemonSetup, running
from tests.bench.protect.experiment import (
    HOT_MIB,
    MEMORY_MIB,
    SIZE_MIB,
    WARM_UP_MS,
    WORK_MS,
    Case,
    Mode,
    Name,
    Run,
    cases,
)

CGROUP_ROOT = Path("/sys/fs/cgroup")
MIB = 1 << 20
GOVERNED_LIMIT_S = 120.0
POLL_INTERVAL_S = 0.1
# On tmpfs until the end: writing it to the shared checkout would take CPU time from the runs.
DAEMON_LOG = Path("/run/reclaimd-protect.log")


@dataclass(frozen=True, slots=True)
class Setup:
    """What a run needs: the workload's program, and where the daemon is scraped."""

    program: Path
    metrics_url: str


def main() -> int:
    """Make the runs; returns the exit status."""
    arguments = _arguments()
    setup = Setup(arguments.programs / "working_set", arguments.metrics_url)
    try:
        # One daemon for all runs; it has rules only for the cgroups of those in its mode.
        with running(DaemonSetup(arguments.config, arguments.metrics_url, DAEMON_LOG)):
            _make_runs(setup, arguments.runs)
    except (DaemonError, subprocess.CalledProcessError, OSError) as error:
        print(f"protect: {error}", file=sys.stderr)
        return 1
    finally:
        if DAEMON_LOG.exists():
            arguments.log.write_bytes(DAEMON_LOG.read_bytes())
    return 0


def _make_runs(setup: Setup, runs: int) -> None:
    with os.fdopen(int(os.environ["RECLAIMD_LAB_REPORT_FD"]), "w") as report:
        for case in cases(runs):
            for run in measure(setup, case):
                print(run.to_line(), file=report, flush=True)


def measure(setup: Setup, case: Case) -> list[Run]:
    """Make one run: both fill their memory, then those that work warm up and are measured.

    Raises:
        OSError: a cgroup could not be made or removed.
        DaemonError: the daemon does not govern them.
        CalledProcessError: a workload was killed.
    """
    with _cgroups(case) as directories, ExitStack() as stack:
        if case.mode is Mode.RECLAIMD:
            _wait_until_governed(setup, case)
        workloads = {
            name: stack.enter_context(_workload(setup.program, directory))
            for name, directory in directories.items()
        }
        for name in case.working:
            for for_ms in (WARM_UP_MS, WORK_MS):
                _tell(workloads[name], for_ms)
        return [
            Run(case.scenario, case.mode, name, case.run, _worked(workloads[name])) for name in case.working
        ]


@contextmanager
def _cgroups(case: Case) -> Iterator[dict[Name, Path]]:
    parent = CGROUP_ROOT / case.parent[1:]
    parent.parent.mkdir(exist_ok=True)
    (parent.parent / "cgroup.subtree_control").write_text("+memory")
    parent.mkdir()
    (parent / "memory.max").write_text(str(MEMORY_MIB * MIB))
    (parent / "cgroup.subtree_control").write_text("+memory")
    directories = {name: parent / name for name in Name}
    for directory in directories.values():
        directory.mkdir()
    if case.mode is Mode.MEMORY_LOW:
        (directories[Name.HIGH] / "memory.low").write_text(str(MEMORY_MIB * MIB))
    try:
        yield directories
    finally:
        for directory in (*directories.values(), parent):
            directory.rmdir()


def _wait_until_governed(setup: Setup, case: Case) -> None:
    wanted = {f"{case.parent}/{name}" for name in Name}
    deadline_s = time.monotonic() + GOVERNED_LIMIT_S
    while time.monotonic() < deadline_s:
        try:
            with urllib.request.urlopen(setup.metrics_url) as answer:  # noqa: S310  ours
                series = exposition.parse(answer.read().decode())
        except OSError:
            series = []  # it does not listen yet
        if wanted <= {one.labels.get("cgroup") for one in series}:
            return
        time.sleep(POLL_INTERVAL_S)
    raise DaemonError(f"no rules for {', '.join(sorted(wanted))} after {GOVERNED_LIMIT_S:g} s")


@contextmanager
def _workload(program: Path, cgroup: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a workload, and give it back once it has filled its memory."""
    command: list[str | Path] = [
        program,
        "--size-mib",
        str(SIZE_MIB),
        "--hot-mib",
        str(HOT_MIB),
        "--cgroup",
        cgroup,
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        _answer(process)
        yield process
        process.communicate()


def _tell(process: subprocess.Popen[str], for_ms: int) -> None:
    assert process.stdin is not None  # for the type checker: it is a pipe
    process.stdin.write(f"{for_ms}\n")
    process.stdin.flush()


def _worked(process: subprocess.Popen[str]) -> float:
    """Return the operations per second after the warm-up."""
    _answer(process)
    told: dict[str, Any] = json.loads(_answer(process))
    return float(told["operations"]) / float(told["wall_s"])


def _answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None  # for the type checker: it is a pipe
    line = process.stdout.readline()
    if not line:
        raise subprocess.CalledProcessError(process.wait(), process.args)
    return line


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="make the experiment's runs, in the lab's VM")
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--metrics-url", required=True)
    parser.add_argument("--programs", type=Path, required=True, help="where the compiled helpers are")
    parser.add_argument("--log", type=Path, required=True, help="where the daemon's log goes at the end")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
