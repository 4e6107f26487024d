# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo's side in the VM: makes every run and reports what it measured to the host, a line for each.

Standard library only: the host's packages are not here.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from tests.bench.daemon import DaemonError, DaemonSetup, running
from tests.bench.experiment import FILE_64, Case, Mode, cases
from tests.bench.measure import Setup, make_parents, measure

# On tmpfs until the end: writing it to the shared checkout would take CPU time from the runs.
DAEMON_LOG = Path("/run/reclaimd-demo.log")


def main() -> int:
    """Make the runs; returns the exit status."""
    arguments = _arguments()
    daemon_setup = DaemonSetup(arguments.config, arguments.metrics_url, DAEMON_LOG)
    try:
        make_parents()
        # One daemon for all runs: starting it takes longer than most of them.
        with running(daemon_setup) as daemon:
            _make_runs(
                Setup(daemon, arguments.programs, Path(os.environ["RECLAIMD_LAB_DISK"])), arguments.runs
            )
    except (DaemonError, subprocess.CalledProcessError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    finally:
        if DAEMON_LOG.exists():
            arguments.log.write_bytes(DAEMON_LOG.read_bytes())
    return 0


def _make_runs(setup: Setup, runs: int) -> None:
    for mode in Mode:
        # Not reported: the first runs of all pay for a new disk image, and for QEMU translating the kernel.
        measure(setup, Case(FILE_64, mode, 0))
    with os.fdopen(int(os.environ["RECLAIMD_LAB_REPORT_FD"]), "w") as report:
        for case in cases(runs):
            print(measure(setup, case).to_line(), file=report, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="make the demo's runs, in the lab's VM")
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--metrics-url", required=True)
    parser.add_argument("--programs", type=Path, required=True, help="where the compiled helpers are")
    parser.add_argument("--log", type=Path, required=True, help="where the daemon's log goes at the end")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
