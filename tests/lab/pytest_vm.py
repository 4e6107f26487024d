# SPDX-License-Identifier: GPL-2.0-or-later
"""The pytest plugin of the host: the tests of some rooms run in a VM, one for all of a kind, and are reported as if here.

The guest's pytest runs the same node ids; each of its reports is replayed on the host. A lost VM makes the tests
that have not ended yet errors; what the kernel complains of fails the test that was running. RECLAIMD_LAB_UNTIL, in
seconds since 1970, is for machines that may be too slow: tests that have not begun by then are skipped.
"""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack

import pytest
from _pytest._code.code import ReprFileLocation, TerminalRepr
from _pytest._io import TerminalWriter

from tests.lab import CHECKOUT
from tests.lab.dist import DEB
from tests.lab.errors import LabError, VmLostError
from tests.lab.guest_tests import GuestTests, NotRunError
from tests.lab.kernels import KernelName
from tests.lab.lab import machine
from tests.lab.qemu import Init
from tests.lab.record import Record
from tests.lab.vm import Vm, run_directory

VM_ROOMS = {
    CHECKOUT / "tests" / room: init
    for room, init in (
        ("kernel", Init.AGENT),
        ("system", Init.AGENT),
        ("lab/sample", Init.AGENT),
        ("service", Init.SYSTEMD),
        ("package", Init.SYSTEMD),
    )
}
"""The directories whose tests need our kernel, and what PID 1 is for them."""
PACKAGE_ROOM = "tests/package/"
NEEDS_DEBUG = "needs the debug kernel: make test-debug"
NO_TIME_LEFT = "not begun by RECLAIMD_LAB_UNTIL"


def needed_init(item: pytest.Item) -> Init | None:
    """What PID 1 of the VM has to be that this test runs in; None for a test of the host."""
    return next((VM_ROOMS[parent] for parent in item.path.parents if parent in VM_ROOMS), None)


class GuestFailure(TerminalRepr):
    """A failure as the guest's pytest wrote it, with the crash line that the host's summary shows."""

    def __init__(self, record: Record) -> None:
        self._text = record.text
        place = record.place
        self.reprcrash = ReprFileLocation(place.path, place.line, place.message) if place else None

    def toterminal(self, tw: TerminalWriter) -> None:
        """Write the guest's text."""
        tw.line(self._text)


def _kernel() -> KernelName:
    name = os.environ.get("RECLAIMD_LAB_KERNEL") or KernelName.LAB
    try:
        return KernelName(name)
    except ValueError:
        allowed = " or ".join(KernelName)
        raise pytest.UsageError(f"RECLAIMD_LAB_KERNEL is {name}: it must be {allowed}") from None


def _until_s() -> float:
    text = os.environ.get("RECLAIMD_LAB_UNTIL") or "inf"
    try:
        return float(text)
    except ValueError:
        raise pytest.UsageError(f"RECLAIMD_LAB_UNTIL is {text}: it must be a number of seconds") from None


class VmRunner:
    """Hands the tests of the VMs' rooms to the VM that each needs."""

    def __init__(self, config: pytest.Config) -> None:
        kernel, until_s = _kernel(), _until_s()
        self._sessions = {init: VmSession(config, kernel, init, until_s) for init in Init}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note which tests go to which VM, after all deselection."""
        for init, vm_session in self._sessions.items():
            vm_session.choose([item for item in session.items if needed_init(item) is init])

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Run one of the VMs' tests; leaves all others to pytest."""
        init = needed_init(item)
        if init is None:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in self._sessions[init].reports(item):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def pytest_sessionfinish(self) -> None:
        """End what VMs there are."""
        for vm_session in self._sessions.values():
            vm_session.close()


class VmSession:
    """Runs the tests of one VM, which is up from the first of them to the last, and replays what comes of them."""

    def __init__(self, config: pytest.Config, kernel: KernelName, init: Init, until_s: float) -> None:
        self._config = config
        self._kernel = kernel
        self._init = init
        self._until_s = until_s
        self._open = ExitStack()
        self._tests: GuestTests | None = None
        self._lost: LabError | None = None
        self._chosen: list[str] = []
        self._remaining: set[str] = set()

    def choose(self, items: Iterable[pytest.Item]) -> None:
        """Set which tests are to run here."""
        self._chosen = [item.nodeid for item in items if not self._skipped(item)]
        self._remaining = set(self._chosen)

    def reports(self, item: pytest.Item) -> Iterator[pytest.TestReport]:
        """What comes of a test; the VM is booted for the first one, and ended after the last."""
        if self._skipped(item):
            yield _skip(item, NEEDS_DEBUG)
        elif time.time() > self._until_s:
            self.close()
            yield _skip(item, NO_TIME_LEFT)
        elif self._lost:
            yield _report(item, Record(item.nodeid, "failed", "setup"), f"not run: {self._lost}")
        else:
            yield from self._run(item)

    def close(self) -> None:
        """End the VM."""
        self._open.close()

    def _skipped(self, item: pytest.Item) -> bool:
        return item.get_closest_marker("debug_kernel") is not None and self._kernel is not KernelName.DEBUG

    def _run(self, item: pytest.Item) -> Iterator[pytest.TestReport]:
        try:
            tests = self._tests = self._tests or self._boot()
            for record in tests.records(item.nodeid):
                yield _report(item, record, _longrepr(record))
        except NotRunError as error:
            yield _report(item, Record(item.nodeid, "failed", "setup"), str(error))
        except LabError as error:
            self._lost = error
            console = f"{error.console_tail}\n\n" if isinstance(error, VmLostError) else ""
            yield _report(item, Record(item.nodeid, "failed", "setup"), f"{console}{error}")
        self._remaining.discard(item.nodeid)
        if self._tests and not self._remaining and not self._lost:
            for text in self._tests.last_words():
                yield _report(item, Record("the guest", "failed", "teardown"), text)
            self.close()

    def _boot(self) -> GuestTests:
        capture = self._config.pluginmanager.getplugin("capturemanager")
        terminal = self._config.pluginmanager.getplugin("terminalreporter")
        terminal.ensure_newline()
        with capture.global_and_fixture_disabled():  # what is built, and with what, is for the person waiting
            host_machine = machine(self._kernel, self._init)
            if any(node_id.startswith(PACKAGE_ROOM) for node_id in self._chosen):
                DEB.package()
        directory = self._open.enter_context(run_directory())
        vm = self._open.enter_context(Vm(host_machine, directory))
        show_output = self._config.getoption("capture") == "no"
        tests = GuestTests(vm, directory / "pytest.log", show_output=show_output)
        arguments = [f"--tb={self._config.getoption('tbstyle')}", *(["-s"] if show_output else [])]
        tests.start(self._chosen, arguments)
        return tests


def _skip(item: pytest.Item, why: str) -> pytest.TestReport:
    path, line, _ = item.location
    return _report(
        item,
        Record(item.nodeid, "skipped", "setup"),
        (str(CHECKOUT / path), (line or 0) + 1, f"Skipped: {why}"),
    )


def _longrepr(record: Record) -> tuple[str, int, str] | TerminalRepr | None:
    place = record.place
    if record.outcome == "skipped" and place and record.expected_failure is None:
        return (place.path, place.line, place.message)
    return GuestFailure(record) if record.text else None


def _report(
    item: pytest.Item, record: Record, longrepr: tuple[str, int, str] | TerminalRepr | str | None
) -> pytest.TestReport:
    assert record.outcome != "done"  # for the type checker: GuestTests keeps those
    report = pytest.TestReport(
        nodeid=record.node_id,
        location=item.location,
        keywords={str(keyword): 1 for keyword in item.keywords},
        outcome=record.outcome,
        longrepr=longrepr,
        when=record.when,
        sections=record.sections,
        duration=record.duration_s,
        user_properties=list(record.properties),
    )
    if record.expected_failure is not None:
        report.wasxfail = record.expected_failure  # pytest's own way to mark an xfail
    return report
