# SPDX-License-Identifier: GPL-2.0-or-later
"""The experiment's side on the host.

Boots the lab's VM, has the guest make every run, and shows what came of it: a line as each run ends, a table,
what the runs must show and whether they do, build/protect/report.json and build/protect/throughput.png.

Exit status: 0; 1 when something that must show does not, or a run could not be made; 2 for a wrong command line;
125 when the VM was lost; 126 when the kernel complained of something.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from reclaimd.bench.command import positive
from reclaimd.config import load_config
from tests.bench.protect.chart import draw
from tests.bench.protect.experiment import MEMORY_MIB, SIZE_MIB, Run, cases, run_from_line
from tests.bench.protect.verdict import checks, table
from tests.bench.vm_runs import PROGRAMS, SETUP_LIMIT_S, exit_status, fresh_directory, report_lines
from tests.lab import CHECKOUT
from tests.lab.kernels import KernelName
from tests.lab.lab import machine
from tests.lab.vm import Vm, run_directory

CONFIG = CHECKOUT / "config" / "examples" / "protect-demo.yaml"
OUTPUT = CHECKOUT / "build" / "protect"
REPORT = OUTPUT / "report.json"
PICTURE = OUTPUT / "throughput.png"
DAEMON_LOG = OUTPUT / "reclaimd.log"
PICTURE_TITLE = f"Two cgroups of {SIZE_MIB} MiB each in {MEMORY_MIB} MiB, and zram"
RUN_LIMIT_S = 240.0
"""Far more than a run takes, even on a busy host without KVM."""


def main() -> int:
    """Make the experiment; returns the exit status."""
    runs = _arguments().runs
    return exit_status("protect", lambda: _experiment(runs))


def _experiment(number: int) -> int:
    fresh_directory(OUTPUT, (REPORT, PICTURE, DAEMON_LOG))
    made = machine(KernelName.LAB)
    with run_directory() as directory, Vm(made, directory) as vm:
        print(f"protect: kernel {vm.kernel_release}, {CONFIG.relative_to(CHECKOUT)}", flush=True)
        runs = list(_make_runs(vm, number))
    report = {"kernel": vm.kernel_release, "accel": made.accel, "runs": [asdict(run) for run in runs]}
    REPORT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    draw(PICTURE_TITLE, runs, PICTURE)
    verdict = list(checks(runs))
    print("", table(runs), "", *(line for _, line in verdict), "", sep="\n")
    print(f"protect: {REPORT.relative_to(CHECKOUT)}, {PICTURE.relative_to(CHECKOUT)}")
    return 0 if all(met for met, _ in verdict) else 1


def _make_runs(vm: Vm, number: int) -> Iterator[Run]:
    """Yield each run as the guest has made it; raises LabError when it cannot, or the kernel complains."""
    wanted = sum(len(case.working) for case in cases(number))
    lines = report_lines(vm, _guest_command(number), SETUP_LIMIT_S + wanted * RUN_LIMIT_S)
    for done, line in enumerate(lines, 1):
        run = run_from_line(line)
        print(_progress(done, wanted, run), flush=True)
        yield run


def _guest_command(number: int) -> Sequence[str]:
    listen = load_config(CONFIG).config.metrics.listen
    return [
        *("python3", "-m", "tests.bench.protect.guest", "--runs", str(number)),
        *("--config", str(CONFIG), "--metrics-url", f"http://{listen}/metrics"),
        *("--programs", str(PROGRAMS), "--log", str(DAEMON_LOG)),
    ]


def _progress(done: int, wanted: int, run: Run) -> str:
    counter = f"[{done:{len(str(wanted))}}/{wanted}]"
    return f"{counter} {run.scenario:11}  {run.mode:10}  run {run.run}  {run.cgroup:4}  {run.ops_per_s:9.0f} operations/s"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m tests.bench.protect", description="run the experiment")
    parser.add_argument(
        "--runs", type=positive, default=3, metavar="N", help="of each scenario in each mode (default: 3)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
