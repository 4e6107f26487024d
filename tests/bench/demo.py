# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo's side on the host: `python3 -m tests.bench.demo`.

Boots the lab's VM, has the guest make every run, and shows what came of it: a line as each run ends, a table,
what the runs must show and whether they do, build/demo/report.json and build/demo/timeline.png.

Exit status: 0; 1 when a run with reclaimd had a max event on a file workload or an OOM kill, or when a run could
not be made; 2 for a wrong command line; 125 when the VM was lost; 126 when the kernel complained of something.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence

from kernel_patches.kernel import Variant
from reclaimd.errors import ReclaimdError
from tests.bench.experiment import FILE_64, LIMIT_MIB, Mode, cases
from tests.bench.report import Measurement, measurement_from_line, report_json
from tests.bench.shipped import CONFIG, Shipped, Threshold, read_shipped
from tests.bench.table import progress_line, table
from tests.bench.timeline import draw, typical
from tests.bench.verdict import checks, failed
from tests.lab import CHECKOUT
from tests.lab.channel import Kind, complaint_from_json
from tests.lab.errors import KernelComplaintError, LabError, VmLostError
from tests.lab.lab import machine
from tests.lab.vm import Vm, forward, run_directory

OUTPUT = CHECKOUT / "build" / "demo"
REPORT = OUTPUT / "report.json"
PICTURE = OUTPUT / "timeline.png"
DAEMON_LOG = OUTPUT / "reclaimd.log"
PROGRAMS = CHECKOUT / "build" / "bin"
PICTURE_TITLE = f"A file of {FILE_64.size_mib} MiB, written and read twice in a cgroup of {LIMIT_MIB} MiB"
SETUP_LIMIT_S = 60.0
RUN_LIMIT_S = 120.0
"""Far more than a run takes, even on a busy host without KVM."""


def main() -> int:
    """Make the demo; returns the exit status."""
    runs = _arguments().runs
    try:
        return _demo(runs)
    except VmLostError as error:
        print(error.console_tail, file=sys.stderr)
        return _fail(error, error.exit_status)
    except (LabError, ReclaimdError) as error:
        return _fail(error, error.exit_status)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)


def _demo(runs: int) -> int:
    shipped = read_shipped()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for old in (REPORT, PICTURE, DAEMON_LOG):
        old.unlink(missing_ok=True)
    made = machine(Variant.LAB)
    with run_directory() as directory, Vm(made, directory) as vm:
        print(f"demo: kernel {vm.kernel_release}, {CONFIG.relative_to(CHECKOUT)}", flush=True)
        measurements = list(_make_runs(vm, shipped, runs))
    all_runs = [measurement.run for measurement in measurements]
    REPORT.write_text(report_json(vm.kernel_release, made.accel, all_runs), encoding="utf-8")
    _draw(measurements, shipped.thresholds)
    verdict = list(checks(all_runs))
    print("", table(all_runs), "", *verdict, "", sep="\n")
    print(f"demo: {REPORT.relative_to(CHECKOUT)}, {PICTURE.relative_to(CHECKOUT)}")
    return 1 if failed(verdict) else 0


def _make_runs(vm: Vm, shipped: Shipped, runs: int) -> Iterator[Measurement]:
    """Yield each run as the guest has made it; raises LabError when it cannot, or the kernel complains."""
    total = len(list(cases(runs)))
    done = 0
    complaints = []
    status = 0
    vm.start(_guest_command(shipped, runs))
    for frame in vm.frames(SETUP_LIMIT_S + total * RUN_LIMIT_S):
        match frame.kind:
            case Kind.REPORT:
                done += 1
                measurement = measurement_from_line(frame.text)
                print(progress_line(done, total, measurement.run), flush=True)
                yield measurement
            case Kind.COMPLAINT:
                complaints.append(complaint_from_json(frame.payload))
                print(complaints[-1].text, file=sys.stderr)
            case Kind.EXIT:
                status = int(frame.text)
            case _:
                forward(frame)
    if complaints:
        raise KernelComplaintError(f"the kernel complained ({complaints[0].title}): {vm.console_log}")
    if status != 0 or done != total:
        raise LabError(f"the guest ended with status {status} after {done} of {total} runs")


def _guest_command(shipped: Shipped, runs: int) -> Sequence[str]:
    return [
        *("python3", "-m", "tests.bench.guest", "--runs", str(runs)),
        *("--config", str(CONFIG), "--metrics-url", shipped.metrics_url),
        *("--programs", str(PROGRAMS), "--log", str(DAEMON_LOG)),
    ]


def _draw(measurements: Sequence[Measurement], thresholds: Sequence[Threshold]) -> None:
    draw(PICTURE_TITLE, [typical(measurements, FILE_64, mode) for mode in Mode], thresholds, PICTURE)


def _fail(what: object, status: int) -> int:
    print(f"demo: error: {what}", file=sys.stderr)
    return status


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m tests.bench.demo", description="run the demo")
    parser.add_argument(
        "--runs", type=_positive, default=5, metavar="N", help="of each workload in each mode (default: 5)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
