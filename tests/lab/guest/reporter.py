# SPDX-License-Identifier: GPL-2.0-or-later
"""The pytest plugin of the guest: sends every report to the host and fails the tests that upset the kernel."""

import io
import os
from collections.abc import Generator
from typing import Any

import pytest
from _pytest._io import TerminalWriter

from tests.lab.channel import Complaint
from tests.lab.klog import Kmsg
from tests.lab.record import DONE, Place, Record


class Reporter:
    """Writes a line for each phase of each test to the report pipe."""

    def __init__(self, report_fd: int) -> None:
        self._pipe = os.fdopen(report_fd, "w", encoding="utf-8")
        self._kmsg = Kmsg()
        self._kmsg.skip()  # what the kernel said before the tests is not theirs
        self._told: dict[int, list[int]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Make a report a failure when the kernel complained meanwhile."""
        report = yield
        complaints = self._kmsg.complaints()
        if complaints:
            _fail(report, complaints)
            self._told[id(report)] = [complaint.sequence for complaint in complaints]
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Send a phase's report."""
        self._send(
            Record(
                node_id=report.nodeid,
                outcome=report.outcome,
                when=report.when,
                duration_s=report.duration,
                text=_text(report),
                place=_place(report),
                expected_failure=getattr(report, "wasxfail", None),
                sections=report.sections,
                properties=[(name, str(value)) for name, value in report.user_properties],
                complaints=self._told.pop(id(report), []),
            )
        )

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Tell that a test is done."""
        self._send(Record(nodeid, DONE))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Send what kept a file from being collected."""
        if report.failed:
            self._send(Record(report.nodeid, "failed", text=_text(report)))

    def _send(self, record: Record) -> None:
        self._pipe.write(record.to_line() + "\n")
        self._pipe.flush()


def _fail(report: pytest.TestReport, complaints: list[Complaint]) -> None:
    text = "\n\n".join(complaint.text for complaint in complaints)
    if report.failed:
        report.sections.append(("Kernel log", text))
        return
    report.outcome = "failed"
    report.longrepr = f"the kernel complained during this test:\n{text}"
    vars(report).pop("wasxfail", None)


def _text(report: pytest.TestReport | pytest.CollectReport) -> str:
    """What pytest would write; longreprtext would cut the first line's indentation off."""
    text = io.StringIO()
    report.toterminal(TerminalWriter(text))
    return text.getvalue().strip("\n")


def _place(report: pytest.TestReport) -> Place | None:
    """Where a skip or a failure happened, as far as pytest knows."""
    longrepr: Any = report.longrepr  # a tuple, a text or one of pytest's classes
    if isinstance(longrepr, tuple):
        path, line, message = longrepr
        return Place(path, line, message)
    if isinstance(longrepr, str):
        return Place("", 0, longrepr.splitlines()[1] if "\n" in longrepr else longrepr)
    crash = getattr(longrepr, "reprcrash", None)
    return Place(crash.path, crash.lineno, crash.message) if crash else None


def pytest_configure(config: pytest.Config) -> None:
    """Register the reporter."""
    config.pluginmanager.register(Reporter(int(os.environ["RECLAIMD_LAB_REPORT_FD"])), "lab-reporter")
