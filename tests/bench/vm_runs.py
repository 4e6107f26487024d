# SPDX-License-Identifier: GPL-2.0-or-later
"""Having the lab's VM make runs, and following them."""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reclaimd.errors import ReclaimdError
from tests.bench.experiment import Mode, Workload
from tests.bench.report import Results, Run, Skip
from tests.lab import CHECKOUT
from tests.lab.channel import Complaint, Kind, complaint_from_json
from tests.lab.errors import KernelComplaintError, LabError, VmLostError
from tests.lab.vm import Vm, forward

PROGRAMS = CHECKOUT / "build" / "bin"
SETUP_LIMIT_S = 120.0
RUN_LIMIT_S = 120.0
"""Far more than a run takes, even on a busy host without KVM."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which runs are to be made, by which configuration of the daemon, whose log goes to *log*."""

    workloads: Sequence[Workload]
    modes: Sequence[Mode]
    runs: int
    config: Path
    metrics_url: str
    log: Path
    sources: Path | None = None
    reaction: bool = False
    """Whether the time until the first page is reclaimed is measured too."""

    @property
    def total(self) -> int:
        """How many runs these are."""
        return len(self.workloads) * len(self.modes) * self.runs

    @property
    def command(self) -> Sequence[str]:
        """What makes them in the guest."""
        return [
            *("python3", "-m", "tests.bench.guest", "--runs", str(self.runs)),
            *("--modes", *self.modes, "--workloads", *(workload.word for workload in self.workloads)),
            *("--config", str(self.config), "--metrics-url", self.metrics_url),
            *("--programs", str(PROGRAMS), "--log", str(self.log)),
            *(("--sources", str(self.sources)) if self.sources else ()),
            *(("--reaction",) if self.reaction else ()),
        ]


def make_runs(vm: Vm, plan: Plan, show: Callable[[int, Run | Skip], None]) -> Results:
    """Make all runs of *plan*; *show* is told of each as it ends, with its number.

    Raises:
        LabError: not all of them could be made, or the kernel complained.
    """
    results = Results()
    for line in report_lines(vm, plan.command, SETUP_LIMIT_S + plan.total * RUN_LIMIT_S):
        if told := results.add_line(line):
            show(len(results.measurements), told)
    return results


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


def positive(text: str) -> int:
    """Read a number of runs, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)
