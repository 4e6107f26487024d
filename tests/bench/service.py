# SPDX-License-Identifier: GPL-2.0-or-later
"""`make bench-service`: what the daemon costs with 100, 1,000 and 2,000 governed cgroups, in build/service/report.json.

Exit status: 0; 1 when a mark is missed, or the measurement could not be made; 125 when the VM was lost; 126 when
the kernel complained of something.
"""

import sys
from collections.abc import Iterator

from tests.bench.service_report import SIZES, Point, point_from_line, report_json, row, verdict
from tests.lab import CHECKOUT
from tests.lab.channel import Kind, complaint_from_json
from tests.lab.errors import KernelComplaintError, LabError, VmLostError
from tests.lab.kernels import KernelName
from tests.lab.lab import machine
from tests.lab.vm import Vm, forward, run_directory

REPORT = CHECKOUT / "build" / "service" / "report.json"
LIMIT_S = 1200.0
"""Far more than it takes, even on a busy host without KVM."""


def main() -> int:
    """Measure; return the exit status."""
    try:
        return _bench()
    except VmLostError as error:
        print(error.console_tail, file=sys.stderr)
        return _fail(error, error.exit_status)
    except LabError as error:
        return _fail(error, error.exit_status)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)


def _bench() -> int:
    REPORT.unlink(missing_ok=True)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    with run_directory() as directory, Vm(machine(KernelName.LAB), directory) as vm:
        points = list(_measured(vm))
    REPORT.write_text(report_json(points), encoding="utf-8")
    all_met = True
    for met, text in verdict(points):
        print(f"{'ok    ' if met else 'MISSED'} {text}")
        all_met &= met
    print(f"bench-service: {REPORT.relative_to(CHECKOUT)}")
    return 0 if all_met else 1


def _measured(vm: Vm) -> Iterator[Point]:
    vm.start(["python3", "-m", "tests.bench.service_guest"])
    done, status = 0, 0
    for frame in vm.frames(LIMIT_S):
        match frame.kind:
            case Kind.REPORT:
                point = point_from_line(frame.text)
                done += 1
                print(row(point), flush=True)
                yield point
            case Kind.COMPLAINT:
                complaint = complaint_from_json(frame.payload)
                raise KernelComplaintError(f"the kernel complained ({complaint.title}): {vm.console_log}")
            case Kind.EXIT:
                status = int(frame.text)
            case _:
                forward(frame)
    if status != 0 or done != len(SIZES):
        raise LabError(f"the guest ended with status {status} after {done} of {len(SIZES)} measurements")


def _fail(what: object, status: int) -> int:
    print(f"bench-service: error: {what}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
