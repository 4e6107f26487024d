# SPDX-License-Identifier: GPL-2.0-or-later
"""The tests of one pytest session that run in the VM: one boot, one pytest in the guest, its records by test."""

from collections.abc import Sequence
from pathlib import Path

from tests.lab.channel import Complaint, Frame, Kind, complaint_from_json
from tests.lab.errors import LabError
from tests.lab.klog import EXCERPT_LINES
from tests.lab.record import DONE, Record, from_line
from tests.lab.vm import Vm, forward

TEST_LIMIT_S = 900.0
"""A test that takes longer hangs; the stress on the debug kernel takes some minutes."""
OUTPUT_TAIL_LINES = 30

ENDED_WELL = (0, 1)
"""pytest's statuses after it has run all tests, whatever came of them."""


class NotRunError(LabError):
    """The guest's pytest ended without having run a test that it was asked to run."""


class GuestTests:
    """pytest in the guest, as the host follows it."""

    def __init__(self, vm: Vm, log: Path, *, show_output: bool) -> None:
        self._vm = vm
        self._log = log
        self._show_output = show_output
        self._records: dict[str, list[Record]] = {}
        self._done: set[str] = set()
        self._collection_errors: list[str] = []
        self._complaints: list[Complaint] = []
        self._told: set[int] = set()
        self._status: int | None = None

    def start(self, node_ids: Sequence[str], arguments: Sequence[str]) -> None:
        """Start the guest's pytest with these tests."""
        pytest = ["python3", "-m", "pytest", "-q", "-p", "tests.lab.guest.reporter", "-p", "no:cacheprovider"]
        # What else is installed in the guest must not change how the tests run.
        self._vm.start([*pytest, *arguments, *node_ids], {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})

    def records(self, node_id: str) -> list[Record]:
        """All about one test, once it is done; raises VmLostError or NotRunError."""
        while node_id not in self._done:
            if self._status is not None:
                raise NotRunError(self._why_not_run())
            self._follow(until=node_id)
        return self._records.pop(node_id, [])

    def last_words(self) -> list[str]:
        """Wait for the end, and return what went wrong outside of any test."""
        while self._status is None:
            self._follow(until=None)
        errors = [
            f"the kernel complained outside of any test:\n{complaint.text}"
            for complaint in self._complaints
            if not any(told <= complaint.sequence < told + EXCERPT_LINES for told in self._told)
        ]
        if self._status not in ENDED_WELL:
            errors.append(self._ended())
        return errors

    def _follow(self, until: str | None) -> None:
        for frame in self._vm.frames(TEST_LIMIT_S):
            self._take(frame)
            if until in self._done:
                return

    def _take(self, frame: Frame) -> None:
        match frame.kind:
            case Kind.REPORT:
                self._take_record(from_line(frame.text))
            case Kind.COMPLAINT:
                self._complaints.append(complaint_from_json(frame.payload))
            case Kind.EXIT:
                self._status = int(frame.text)
            case Kind.STDOUT | Kind.STDERR:
                with self._log.open("ab") as log:
                    log.write(frame.payload)
                if self._show_output:
                    forward(frame)

    def _take_record(self, record: Record) -> None:
        self._told.update(record.complaints)
        if record.outcome == DONE:
            self._done.add(record.node_id)
        elif "::" in record.node_id:
            self._records.setdefault(record.node_id, []).append(record)
        else:
            self._collection_errors.append(record.text)

    def _why_not_run(self) -> str:
        if self._collection_errors:
            return "the guest could not collect the tests:\n" + "\n".join(self._collection_errors)
        return f"not run by the guest; {self._ended()}"

    def _ended(self) -> str:
        output = self._log.read_text(errors="replace") if self._log.exists() else ""
        tail = output.splitlines()[-OUTPUT_TAIL_LINES:]
        return "\n".join([f"pytest in the guest ended with status {self._status}:", *tail])
