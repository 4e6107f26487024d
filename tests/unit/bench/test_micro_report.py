# SPDX-License-Identifier: GPL-2.0-or-later
from reclaimd.bench.micro_report import Clock, Setting, micro_marks, micro_ratio, micro_rows
from tests.unit.bench.micros import micro


def reached(**costs: float) -> list[bool | None]:
    return [mark.reached for mark in micro_marks(micro(**costs)) if "page fault" in mark.claim]


def test_the_ratio_is_to_the_unpatched_kernel_and_fine() -> None:
    got = micro_ratio(micro(attached=2010.0), Clock.INSTRUCTIONS, Setting.ATTACHED, "fault")
    assert str(got) == "1.0050 (1.0050-1.0050)"


def test_half_a_percent_is_let_pass_where_nothing_is_attached() -> None:
    assert reached(nothing_attached=2010.0) == [True, True, True]
    assert reached(nothing_attached=2011.0) == [False, True, True]


def test_two_percent_are_let_pass_where_the_cgroup_is_governed() -> None:
    assert reached(attached=2040.0) == [True, True, True]
    assert reached(attached=2041.0) == [True, False, True]


def test_without_a_measurement_no_mark_is_judged() -> None:
    assert [mark.reached for mark in micro_marks({})] == [None] * 6


def test_the_table_has_a_row_for_each_setting_and_a_column_for_each_action_and_clock() -> None:
    rows = micro_rows(micro(attached=2010.0))
    assert [len(row) for row in rows] == [5] * 5
    assert rows[1][1] == "2000"
    assert rows[3][2] == "2010, 1.0050 (1.0050-1.0050)"
