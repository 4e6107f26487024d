# SPDX-License-Identifier: GPL-2.0-or-later

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclaimd.config.problem import (
    MAX_PROBLEMS_SHOWN,
    InvalidConfigError,
    Position,
    Problem,
    Severity,
    printable,
)


def test_an_error_is_one_line() -> None:
    problem = Problem(Position("f.yaml", 3, 7), "broken", "mend it")
    assert str(problem) == "f.yaml:3:7: broken; mend it"


def test_a_warning_says_that_it_is_one() -> None:
    problem = Problem(Position("f.yaml", 3, 7), "odd", severity=Severity.WARNING)
    assert str(problem) == "f.yaml:3:7: warning: odd"


def test_problems_come_in_the_order_of_the_file_and_once() -> None:
    late, early = (Problem(Position("f.yaml", line, 1), "broken") for line in (10, 9))
    error = InvalidConfigError([late, early, late])
    assert str(error) == "f.yaml:9:1: broken\nf.yaml:10:1: broken"
    assert error.exit_status == 78


def test_a_flood_of_problems_is_cut_off_and_counted() -> None:
    error = InvalidConfigError([Problem(Position("f.yaml", 1, at), "broken") for at in range(1, 1001)])
    *_, last_shown, last = str(error).splitlines()
    assert last_shown == f"f.yaml:1:{MAX_PROBLEMS_SHOWN}: broken"
    assert last == f"f.yaml: {1000 - MAX_PROBLEMS_SHOWN} more problems are not shown"


def test_a_long_value_is_cut_off() -> None:
    assert len(str(Problem(Position("f.yaml", 1, 1), "x" * 10_000, "y" * 10_000))) < 1000


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb", r"a\nb"), ("\x1b[31m", r"\x1b[31m"), ("\udcff", r"\udcff"), ("grün", "grün"), (r"a\b", r"a\b")],
)
def test_what_would_break_a_line_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text(), st.text(), st.text())
def test_any_problem_is_one_printable_line(file: str, text: str, hint: str) -> None:
    assert str(Problem(Position(file, 1, 1), text, hint)).isprintable()
