# SPDX-License-Identifier: GPL-2.0-or-later
"""The side that makes the runs, in the lab's VM or on a real host, and reports each as a line of JSON.

Standard library only: the packages of the host that runs the VM are not here.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO

from tests.bench.compile import limit_mib
from tests.bench.daemon import DaemonError, DaemonSetup, running
from tests.bench.experiment import BY_WORD, FILE_64, Case, Mode, Workload, cases
from tests.bench.measure import CGROUP_ROOT, fresh_cgroups, make_parents, measure, work_on_clean_disk
from tests.bench.reaction import measure_reactions
from tests.bench.reclaimers import Setup, Target
from tests.bench.report import Skip
from tests.bench.unavailable import UnavailableError

ROOMY_BYTES = 1 << 30

# On tmpfs until the end: writing it to the shared checkout would take CPU time from the runs.
DAEMON_LOG = Path("/run/reclaimd-bench.log")


def main() -> int:
    """Make the runs; returns the exit status."""
    arguments = _arguments()
    daemon_setup = DaemonSetup(arguments.config, arguments.metrics_url, DAEMON_LOG)
    try:
        make_parents()
        # One daemon for all runs: starting it takes longer than most of them.
        with running(daemon_setup) as daemon, _report() as report:
            setup = Setup(daemon, arguments.programs, arguments.disk, arguments.sources)
            _make_runs(setup, arguments.workloads, arguments.modes, arguments.runs, report)
            if arguments.reaction:
                told = {name: asdict(got) for name, got in measure_reactions(setup).items()}
                print(json.dumps({"reaction": told}), file=report, flush=True)
    except (DaemonError, subprocess.CalledProcessError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        if DAEMON_LOG.exists():
            arguments.log.write_bytes(DAEMON_LOG.read_bytes())
    return 0


def _report() -> IO[str]:
    """Return where lines go: to the host of the lab's VM, elsewhere to stdout."""
    return os.fdopen(int(os.environ.get("RECLAIMD_LAB_REPORT_FD", "1")), "w", closefd=False)


def _make_runs(
    setup: Setup, workloads: Sequence[Workload], modes: Sequence[Mode], runs: int, report: IO[str]
) -> None:
    for mode in (Mode.NONE, Mode.RECLAIMD):
        # Not reported: the first runs of all pay for a new disk image, and for QEMU translating the kernel.
        measure(setup, Case(FILE_64, mode, 0))
    unavailable: set[tuple[str, Mode]] = set()
    limited = [_limited(setup, workload) for workload in workloads]
    for case in cases(limited, modes, runs):
        if (str(case.workload), case.mode) in unavailable:
            continue
        try:
            line = measure(setup, case).to_line()
        except UnavailableError as error:
            unavailable.add((str(case.workload), case.mode))
            line = Skip(case.mode, str(case.workload), str(error)).to_line()
        print(line, file=report, flush=True)


def _limited(setup: Setup, workload: Workload) -> Workload:
    """Return the workload with its limit: where it has none, by what it takes without one."""
    if workload.limit_mib:
        return workload
    target = Target("/plain/peak", CGROUP_ROOT / "plain/peak", ROOMY_BYTES)
    try:
        with fresh_cgroups([target], workload):
            work_on_clean_disk(setup, workload, [target.directory])
            return replace(workload, limit_mib=limit_mib(target.directory))
    except UnavailableError:
        return replace(workload, limit_mib=1)  # its runs say why they cannot be made


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="make the runs of the demo or of the benchmark")
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--modes", nargs="+", type=Mode, required=True)
    parser.add_argument("--workloads", nargs="+", type=BY_WORD.__getitem__, required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--metrics-url", required=True)
    parser.add_argument("--programs", type=Path, required=True, help="where the compiled helpers are")
    disk = os.environ.get("RECLAIMD_LAB_DISK")
    parser.add_argument(
        "--disk", type=Path, default=disk, required=disk is None, help="a directory on a disk"
    )
    parser.add_argument("--sources", type=Path, help="C files for the workload that compiles some")
    parser.add_argument("--reaction", action="store_true", help="measure that too")
    parser.add_argument("--log", type=Path, required=True, help="where the daemon's log goes at the end")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
