# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark: `python3 -m tests.bench.bench`, reclaimd beside what else there is, on the same workloads.

Boots the lab's VM, has the guest make every run, and shows what came of it: a line as each run ends, a table for
each workload, the marks and whether they are reached; in build/bench report.json, benchmarks.md and pictures.

Exit status: 0 when all runs were made, whatever they show; 1 when they could not be; 2 for a wrong command line;
125 when the VM was lost; 126 when the kernel complained of something.
"""

import argparse
import json
import platform
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from kernel_patches.kernel import Variant
from kernel_patches.source import pristine
from reclaimd.config import load_config
from tests.bench.document import document
from tests.bench.experiment import BY_WORD, QUICK_ENOUGH, Mode, Workload
from tests.bench.marks import marks
from tests.bench.plots import draw_runs, draw_usage
from tests.bench.report import Results, Run, Skip, report_json
from tests.bench.table import BENCH_TITLES, aligned, by_mode, progress_line
from tests.bench.vm_runs import Plan, exit_status, fresh_directory, make_runs, positive
from tests.lab import CHECKOUT
from tests.lab.lab import machine
from tests.lab.vm import Vm, run_directory

CONFIG = Path(__file__).with_name("bench.yaml")
OUTPUT = CHECKOUT / "build" / "bench"
REPORT = OUTPUT / "report.json"
DOCUMENT = OUTPUT / "benchmarks.md"
TIMELINES = OUTPUT / "timelines.jsonl"
"""A line for each run, with memory.current over time."""
DAEMON_LOG = OUTPUT / "reclaimd.log"
SOURCES = OUTPUT / "libfdt"


def main() -> int:
    """Make the benchmark; returns the exit status."""
    arguments = _arguments()
    return exit_status("bench", lambda: _bench(arguments.workloads, arguments.modes, arguments.runs))


def _bench(workloads: Sequence[Workload], modes: Sequence[Mode], runs: int) -> int:
    fresh_directory(OUTPUT, (REPORT, DOCUMENT, TIMELINES, DAEMON_LOG, *OUTPUT.glob("*.png")))
    listen = load_config(CONFIG).config.metrics.listen
    plan = Plan(
        *(workloads, modes, runs, CONFIG, f"http://{listen}/metrics", DAEMON_LOG, _sources()),
        reaction=Mode.RECLAIMD in modes,
    )

    def show(done: int, told: Run | Skip) -> None:
        print(progress_line(done, plan.total, told, BENCH_TITLES), flush=True)

    made = machine(Variant.LAB)
    with run_directory() as directory, Vm(made, directory) as vm:
        print(f"bench: kernel {vm.kernel_release}, {plan.total} runs", flush=True)
        results = make_runs(vm, plan, show)
    more = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{made.cpus} CPUs and {made.memory_mib} MiB of memory on {_cpu_model()}",
        "skipped": [asdict(skip) for skip in results.skips],
        "reaction": results.reaction,
    }
    text = report_json(vm.kernel_release, made.accel, results.runs, **more)
    REPORT.write_text(text, encoding="utf-8")
    DOCUMENT.write_text(document(json.loads(text)), encoding="utf-8")
    TIMELINES.write_text("".join(f"{one.to_line()}\n" for one in results.measurements), encoding="utf-8")
    _draw(results, workloads)
    _print(results, workloads, modes)
    print(f"bench: {REPORT.relative_to(CHECKOUT)}, {DOCUMENT.relative_to(CHECKOUT)} and pictures beside them")
    return 0


def _cpu_model() -> str:
    names = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return names[0] if names else platform.machine()


def _draw(results: Results, workloads: Sequence[Workload]) -> None:
    for workload in workloads:
        if any(run.name == str(workload) for run in results.runs):
            draw_usage(results.measurements, workload, OUTPUT / f"usage-{workload.word}.png")
    stalls = ("Memory stall (PSI some), ms, each run", OUTPUT / "stall.png")
    draw_runs(results.runs, workloads, lambda run: run.psi_some_us / 1000, *stalls)
    tails = ("p99.9 of the workload's operations, us, each run", OUTPUT / "tail-latency.png")
    draw_runs(results.runs, workloads, lambda run: run.ops_p999_us, *tails)


def _sources() -> Path:
    """Copy what is to be compiled to where the guest sees it."""
    shutil.rmtree(SOURCES, ignore_errors=True)
    shutil.copytree(
        pristine().path / "scripts/dtc/libfdt", SOURCES, ignore=shutil.ignore_patterns("Makefile*")
    )
    return SOURCES


def _print(results: Results, workloads: Sequence[Workload], modes: Sequence[Mode]) -> None:
    for workload in workloads:
        print(f"\n{workload}", aligned(by_mode(results.runs, workload, modes)), sep="\n")
        for skip in results.skips:
            if skip.workload == str(workload):
                print(f"{skip.mode}: cannot run: {skip.reason}")
    print("", *marks(results.runs, workloads, results.reaction), "", sep="\n")


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
        help=f"of {words}; default: all but compile",
    )
    arguments = parser.parse_args()
    arguments.modes = arguments.modes or list(Mode)
    arguments.workloads = [BY_WORD[word] for word in arguments.workloads or ()] or QUICK_ENOUGH
    return arguments


if __name__ == "__main__":
    sys.exit(main())
