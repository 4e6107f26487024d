# SPDX-License-Identifier: GPL-2.0-or-later
"""Having the lab's VM make runs, and following them."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from reclaimd.bench.host import cpu_model
from reclaimd.bench.measure import RUN_LIMIT_S
from reclaimd.bench.output import REPORT, read_results, write_report
from reclaimd.bench.report import Results
from reclaimd.bench.session import Plan
from reclaimd.errors import ReclaimdError
from tests.lab import CHECKOUT
from tests.lab.channel import Complaint, Kind, complaint_from_json
from tests.lab.errors import KernelComplaintError, LabError, VmLostError
from tests.lab.qemu import Machine
from tests.lab.vm import Vm, forward

DISK = "/mnt/disk"
"""Where the guest has its disk."""
PROGRAMS = CHECKOUT / "build" / "bin"
SETUP_LIMIT_S = 120.0
FURTHER_LIMIT_S = 1800.0
"""For the reaction and the scale."""


def run_bench(vm: Vm, output: Path, plan: Plan, options: Sequence[str]) -> Results:
    """Have the guest run reclaimd-bench, whose results go to *output*; return its runs.

    Raises:
        LabError: not all of them could be made, or the kernel complained.
    """
    limit_s = SETUP_LIMIT_S + plan.total * RUN_LIMIT_S + FURTHER_LIMIT_S
    for _ in report_lines(vm, bench_command(output, plan, options), limit_s):
        pass  # it reports nothing: what it prints is shown, and its results are files
    return read_results(output)


def bench_command(output: Path, plan: Plan, options: Sequence[str]) -> Sequence[str]:
    """Return the command line of reclaimd-bench in the guest."""
    return [
        *("python3", "-m", "reclaimd.bench", "--output", str(output), "--directory", DISK),
        *("--runs", str(plan.runs), "--modes", *plan.modes),
        *("--workloads", *(workload.word for workload in plan.workloads)),
        *options,
    ]


def outside(made: Machine) -> dict[str, str]:
    """Return what the guest does not know of its machine."""
    machine = f"{made.cpus} CPUs and {made.memory_mib} MiB of memory on {cpu_model()}"
    return {"accel": made.accel, "machine": machine}


def add_to_report(output: Path, **more: object) -> None:
    """Add something to the report in a directory of results, and write the document anew."""
    report: dict[str, Any] = json.loads((output / REPORT).read_text(encoding="utf-8"))
    runs = report.pop("runs")
    write_report(output, json.dumps({**report, **more, "runs": runs}, indent=2) + "\n")


def report_lines(vm: Vm, command: Sequence[str], limit_s: float) -> Iterator[str]:
    """Run a command in the guest, and yield each line that it reports.

    Raises:
        LabError: it failed, or the kernel complained.
    """
    lines = 0
    complaints: list[Complaint] = []
    status = 0
    vm.start(command)
    for frame in vm.frames(limit_s):
        match frame.kind:
            case Kind.REPORT:
                lines += 1
                yield frame.text
            case Kind.COMPLAINT:
                complaints.append(complaint_from_json(frame.payload))
                print(complaints[-1].text, file=sys.stderr)
            case Kind.EXIT:
                status = int(frame.text)
            case _:
                forward(frame)
    if complaints:
        raise KernelComplaintError(f"the kernel complained ({complaints[0].title}): {vm.console_log}")
    if status != 0:
        raise LabError(f"the guest ended with status {status} after reporting {lines} times")


def fresh_directory(directory: Path, outputs: Iterable[Path]) -> None:
    """Make a directory of results, without those of an earlier time."""
    directory.mkdir(parents=True, exist_ok=True)
    for old in outputs:
        old.unlink(missing_ok=True)


def exit_status(name: str, make: Callable[[], int]) -> int:
    """Run a command of the benchmark; its errors become a line on stderr, and the exit status of their kind."""
    try:
        return make()
    except VmLostError as error:
        print(error.console_tail, file=sys.stderr)
        return _fail(name, error, error.exit_status)
    except (LabError, ReclaimdError) as error:
        return _fail(name, error, error.exit_status)
    except KeyboardInterrupt:
        return _fail(name, "interrupted", 130)


def _fail(name: str, what: object, status: int) -> int:
    print(f"{name}: error: {what}", file=sys.stderr)
    return status


def natural(text: str) -> int:
    """Read a number of turns, for argparse."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is not a whole number")
    return int(text)
