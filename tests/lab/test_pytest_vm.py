# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests in the VM as the host's pytest reports them."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.lab import CHECKOUT

SAMPLE = CHECKOUT / "tests" / "lab" / "sample"


class Session:
    """A pytest session of its own on one sample file."""

    def __init__(self, sample: str, results: Path, **settings: str) -> None:
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={results}"]
        others = ("RECLAIMD_LAB_KERNEL", "RECLAIMD_LAB_UNTIL")
        environment = {name: value for name, value in os.environ.items() if name not in others}
        done = subprocess.run(
            [*command, str(SAMPLE / sample)],
            cwd=CHECKOUT,
            env=environment | settings,
            capture_output=True,
            text=True,
            check=False,
        )
        self.status = done.returncode
        self.output = done.stdout
        cases = ET.parse(results).getroot().iter("testcase")  # noqa: S314 - pytest has just written it
        self.cases = {case.get("name", ""): list(case) for case in cases}

    def outcome(self, name: str) -> str:
        """The tag of what pytest notes about a test, "passed" where it notes nothing."""
        notes = [note.tag for note in self.cases[name] if note.tag not in ("system-out", "system-err")]
        return notes[0] if notes else "passed"

    def text(self, name: str) -> str:
        """All that pytest notes about a test."""
        return "\n".join(f"{note.get('message', '')}\n{note.text}" for note in self.cases[name])


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return Session("outcomes.py", tmp_path_factory.mktemp("junit") / "results.xml")


@pytest.fixture(scope="module")
def crash(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return Session("crash.py", tmp_path_factory.mktemp("junit") / "results.xml")


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("test_passes", "passed"),
        ("test_fails", "failure"),
        ("test_takes[plain]", "passed"),
        ("test_takes[with blank]", "passed"),
        ("test_takes[with::colons]", "passed"),
        ("test_skips", "skipped"),
        ("test_is_expected_to_fail", "skipped"),
        ("test_cannot_be_set_up", "error"),
        ("test_cannot_be_torn_down", "error"),
        ("test_needs_the_debug_kernel", "skipped"),
        ("test_makes_the_kernel_warn", "failure"),
        ("test_comes_after_the_warning", "passed"),
    ],
)
def test_every_test_has_its_own_outcome(outcomes: Session, name: str, outcome: str) -> None:
    assert outcomes.outcome(name) == outcome


def test_failure_reads_as_in_the_guest(outcomes: Session) -> None:
    text = outcomes.text("test_fails")
    assert "AssertionError: the guest has Python 3" in text
    assert "tests/lab/sample/outcomes.py" in text
    assert "said before the end" in text


def test_reasons_of_skips_and_expected_failures_are_kept(outcomes: Session) -> None:
    assert "not today" in outcomes.text("test_skips")
    assert "known to fail" in outcomes.text("test_is_expected_to_fail")
    assert "make test-debug" in outcomes.text("test_needs_the_debug_kernel")


def test_kernels_warning_is_shown_with_the_test_that_caused_it(outcomes: Session) -> None:
    assert "WARNING: drivers/misc/lkdtm/" in outcomes.text("test_makes_the_kernel_warn")


def test_closing_line_counts_them_all(outcomes: Session) -> None:
    assert outcomes.status == 1
    closing = outcomes.output.splitlines()[-1]
    assert "2 failed, 6 passed, 2 skipped, 1 xfailed, 2 errors" in closing


def test_tests_before_the_end_of_the_vm_keep_their_outcome(crash: Session) -> None:
    assert crash.outcome("test_comes_before") == "passed"


def test_test_that_loses_the_vm_is_an_error_with_the_console(crash: Session) -> None:
    assert crash.outcome("test_makes_the_kernel_panic") == "error"
    assert "Kernel panic - not syncing: dumptest" in crash.text("test_makes_the_kernel_panic")


def test_tests_after_it_are_errors_that_say_so(crash: Session) -> None:
    assert crash.outcome("test_comes_after") == "error"
    assert "not run: the VM ended" in crash.text("test_comes_after")


def test_tests_that_have_not_begun_in_time_are_skipped(tmp_path: Path) -> None:
    late = Session("outcomes.py", tmp_path / "results.xml", RECLAIMD_LAB_UNTIL="1")
    assert late.outcome("test_fails") == "skipped"
    assert "not begun by RECLAIMD_LAB_UNTIL" in late.text("test_fails")
    assert (late.status, len(late.cases)) == (0, 12)
