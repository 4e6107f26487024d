# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo: `python3 -m tests.bench.demo`, two of the benchmark's modes and three of its workloads.

Boots the lab's VM, has it run reclaimd-bench with the shipped example of a policy, and shows what came of it: a line as each run ends, a table,
what the runs must show and whether they do, build/demo/report.json and build/demo/timeline.png.

Exit status: 0; 1 when a run with reclaimd had a max event on a file workload or an OOM kill, or when a run could
not be made; 2 for a wrong command line; 125 when the VM was lost; 126 when the kernel complained of something.
"""

import argparse
import sys
from collections.abc import Sequence

from reclaimd.bench.command import positive
from reclaimd.bench.experiment import DEMO_MODES, DEMO_WORKLOADS, FILE_64
from reclaimd.bench.report import Measurement
from reclaimd.bench.session import Plan
from reclaimd.bench.table import DEMO_TITLES, by_workload
from tests.bench.shipped import CONFIG, Threshold, read_shipped
from tests.bench.timeline import draw, typical
from tests.bench.verdict import checks, failed
from tests.bench.vm_runs import add_to_report, exit_status, fresh_directory, outside, run_bench
from tests.lab import CHECKOUT
from tests.lab.kernels import KernelName
from tests.lab.lab import machine
from tests.lab.vm import Vm, run_directory

OUTPUT = CHECKOUT / "build" / "demo"
REPORT = OUTPUT / "report.json"
PICTURE = OUTPUT / "timeline.png"
PICTURE_TITLE = (
    f"A file of {FILE_64.size_mib} MiB, written and read twice in a cgroup of {FILE_64.limit_mib} MiB"
)


def main() -> int:
    """Make the demo; returns the exit status."""
    runs = _arguments().runs
    return exit_status("demo", lambda: _demo(runs))


def _demo(runs: int) -> int:
    shipped = read_shipped()
    fresh_directory(OUTPUT, (PICTURE,))
    plan = Plan(DEMO_WORKLOADS, DEMO_MODES, runs)
    made = machine(KernelName.LAB)
    with run_directory() as directory, Vm(made, directory) as vm:
        print(f"demo: {CONFIG.relative_to(CHECKOUT)}", flush=True)
        # The example's policy is for cgroups at the root.
        options = ["--config", str(CONFIG), "--parent", "/", "--only-runs", "--quiet"]
        results = run_bench(vm, OUTPUT, plan, options)
    add_to_report(OUTPUT, **outside(made))
    _draw(results.measurements, shipped.thresholds)
    verdict = list(checks(results.runs))
    print("", by_workload(results.runs, DEMO_WORKLOADS, DEMO_TITLES), "", *verdict, "", sep="\n")
    print(f"demo: {REPORT.relative_to(CHECKOUT)}, {PICTURE.relative_to(CHECKOUT)}")
    return 1 if failed(verdict) else 0


def _draw(measurements: Sequence[Measurement], thresholds: Sequence[Threshold]) -> None:
    draw(PICTURE_TITLE, [typical(measurements, FILE_64, mode) for mode in DEMO_MODES], thresholds, PICTURE)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m tests.bench.demo", description="run the demo")
    parser.add_argument(
        "--runs", type=positive, default=5, metavar="N", help="of each workload in each mode (default: 5)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
