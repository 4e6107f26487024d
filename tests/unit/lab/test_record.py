# SPDX-License-Identifier: GPL-2.0-or-later
"""A test's record on its way from the guest's pytest to the host's."""

from tests.lab.record import DONE, Place, Record, from_line


def test_record_survives_as_one_line() -> None:
    record = Record(
        node_id="tests/kernel/test_a.py::test_b[x\ny]",
        outcome="failed",
        when="teardown",
        duration_s=0.25,
        text="two\nlines",
        place=Place("tests/kernel/test_a.py", 3, "assert 1 == 2"),
        expected_failure="known",
        sections=[("Captured stdout call", "text\n")],
        properties=[("pages", "12")],
        complaints=[1, 2],
    )
    line = record.to_line()
    assert "\n" not in line
    assert from_line(line) == record


def test_record_without_a_place_survives() -> None:
    assert from_line(Record("a::b", DONE).to_line()) == Record("a::b", DONE)
