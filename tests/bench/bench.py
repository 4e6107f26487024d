# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark: `python3 -m tests.bench.bench`, reclaimd beside what else there is, on the same workloads.

Boots the lab's VM, has the guest make every run, and shows what came of it: a line as each run ends, a table for
each workload, the marks and whether they are reached, and build/bench/report.json.

Exit status: 0 when all runs were made, whatever they show; 1 when they could not be; 2 for a wrong command line;
125 when the VM was lost; 126 when the kernel complained of something.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from kernel_patches.kernel import Variant
from reclaimd.config import load_config
from tests.bench.experiment import BY_WORD, Mode, Workload
from tests.bench.report import Results, Run, Skip, report_json
from tests.bench.table import BENCH_TITLES, aligned, by_mode, progress_line
from tests.bench.vm_runs import Plan, exit_status, fresh_directory, make_runs, positive
from tests.lab import CHECKOUT
from tests.lab.lab import machine
from tests.lab.vm import Vm, run_directory

CONFIG = Path(__file__).with_name("bench.yaml")
OUTPUT = CHECKOUT / "build" / "bench"
REPORT = OUTPUT / "report.json"
DAEMON_LOG = OUTPUT / "reclaimd.log"


def main() -> int:
    """Make the benchmark; returns the exit status."""
    arguments = _arguments()
    return exit_status("bench", lambda: _bench(arguments.workloads, arguments.modes, arguments.runs))


def _bench(workloads: Sequence[Workload], modes: Sequence[Mode], runs: int) -> int:
    fresh_directory(OUTPUT, (REPORT, DAEMON_LOG))
    listen = load_config(CONFIG).config.metrics.listen
    plan = Plan(workloads, modes, runs, CONFIG, f"http://{listen}/metrics", DAEMON_LOG)

    def show(done: int, told: Run | Skip) -> None:
        print(progress_line(done, plan.total, told, BENCH_TITLES), flush=True)

    made = machine(Variant.LAB)
    with run_directory() as directory, Vm(made, directory) as vm:
        print(f"bench: kernel {vm.kernel_release}, {plan.total} runs", flush=True)
        results = make_runs(vm, plan, show)
    skips = [{"mode": skip.mode, "workload": skip.workload, "reason": skip.reason} for skip in results.skips]
    text = report_json(vm.kernel_release, made.accel, results.runs, skipped=skips)
    REPORT.write_text(text, encoding="utf-8")
    _print(results, workloads, modes)
    print(f"bench: {REPORT.relative_to(CHECKOUT)}")
    return 0


def _print(results: Results, workloads: Sequence[Workload], modes: Sequence[Mode]) -> None:
    for workload in workloads:
        print(f"\n{workload}", aligned(by_mode(results.runs, workload, modes)), sep="\n")
        for skip in results.skips:
            if skip.workload == str(workload):
                print(f"{skip.mode}: cannot run: {skip.reason}")
    print()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m tests.bench.bench", description="run the benchmark")
    parser.add_argument("--runs", type=positive, default=5, metavar="N", help="of each workload in each mode")
    parser.add_argument("--modes", type=Mode, nargs="*", choices=list(Mode), help="default: all")
    words = ", ".join(BY_WORD)
    parser.add_argument("--workloads", nargs="*", metavar="W", choices=list(BY_WORD), help=f"of {words}")
    arguments = parser.parse_args()
    arguments.modes = arguments.modes or list(Mode)
    arguments.workloads = [BY_WORD[word] for word in arguments.workloads or BY_WORD]
    return arguments


if __name__ == "__main__":
    sys.exit(main())
