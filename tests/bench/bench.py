# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark: `python3 -m tests.bench.bench`, reclaimd beside what else there is, on the same workloads.

Boots the lab's VM and has it run reclaimd-bench, which shows a line as each run ends, a table for each workload, and
the marks and whether they are reached. Then the microbenchmark, which takes another kernel too. In build/bench there
are report.json, benchmarks.md, runs.jsonl and pictures.

Exit status: 0 when all runs were made, whatever they show; 1 when they could not be; 2 for a wrong command line;
125 when the VM was lost; 126 when the kernel complained of something.
"""

import argparse
import shutil
import sys
from pathlib import Path

from kernel_patches.source import pristine
from reclaimd.bench.command import positive
from reclaimd.bench.experiment import BY_WORD, WORKLOADS, Mode
from reclaimd.bench.micro_report import micro_marks
from reclaimd.bench.output import draw_pictures
from reclaimd.bench.session import Plan
from tests.bench.micro import measure_micro
from tests.bench.vm_runs import add_to_report, exit_status, fresh_directory, natural, outside, run_bench
from tests.lab import CHECKOUT
from tests.lab.kernels import KernelName
from tests.lab.lab import machine
from tests.lab.vm import Vm, run_directory

OUTPUT = CHECKOUT / "build" / "bench"
REPORT = OUTPUT / "report.json"
SOURCES = OUTPUT / "libfdt"


def main() -> int:
    """Make the benchmark; returns the exit status."""
    arguments = _arguments()
    plan = Plan(arguments.workloads, arguments.modes, arguments.runs)
    return exit_status("bench", lambda: _bench(plan, arguments.micro_turns))


def _bench(plan: Plan, micro_turns: int) -> int:
    fresh_directory(OUTPUT, ())
    made = machine(KernelName.LAB)
    with run_directory() as directory, Vm(made, directory) as vm:
        results = run_bench(vm, OUTPUT, plan, ["--sources", str(_sources())])
    add_to_report(OUTPUT, **outside(made))
    draw_pictures(results, plan.workloads, OUTPUT)
    if micro_turns:
        micro = measure_micro(micro_turns, lambda line: print(line, flush=True))
        add_to_report(OUTPUT, micro=micro)
        print("", *micro_marks(micro), "", sep="\n")
    print(f"bench: {REPORT.relative_to(CHECKOUT)}, benchmarks.md and pictures beside it")
    return 0


def _sources() -> Path:
    """Copy what is to be compiled to where the guest sees it."""
    shutil.rmtree(SOURCES, ignore_errors=True)
    shutil.copytree(
        pristine().path / "scripts/dtc/libfdt", SOURCES, ignore=shutil.ignore_patterns("Makefile*")
    )
    return SOURCES


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m tests.bench.bench", description="run the benchmark")
    parser.add_argument("--runs", type=positive, default=5, metavar="N", help="of each workload in each mode")
    parser.add_argument("--modes", type=Mode, nargs="*", choices=list(Mode), help="default: all")
    words = ", ".join(BY_WORD)
    parser.add_argument(
        "--workloads",
        nargs="*",
        metavar="W",
        choices=list(BY_WORD),
        help=f"of {words}; default: all",
    )
    parser.add_argument(
        "--micro-turns",
        type=natural,
        default=20,
        metavar="N",
        help="of the microbenchmark, which needs an unpatched kernel too (default: %(default)s; 0: none)",
    )
    arguments = parser.parse_args()
    arguments.modes = arguments.modes or list(Mode)
    arguments.workloads = [BY_WORD[word] for word in arguments.workloads or ()] or WORKLOADS
    return arguments


if __name__ == "__main__":
    sys.exit(main())
