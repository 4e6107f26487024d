# SPDX-License-Identifier: GPL-2.0-or-later
from dataclasses import replace

from reclaimd.bench.experiment import DEMO_WORKLOADS, FILE_64, Case, Mode
from reclaimd.bench.report import Skip
from reclaimd.bench.table import (
    BENCH_TITLES,
    DEMO_TITLES,
    aligned,
    by_mode,
    by_workload,
    progress_line,
    spread,
)
from tests.unit.bench.runs import good_run, good_runs, with_run


def test_a_spread_is_the_median_and_the_range() -> None:
    assert spread([3.0, 1.0, 2.04], 1) == "2.0 (1.0-3.0)"


def test_equal_values_have_no_range() -> None:
    assert spread([0, 0], 0) == "0"


def test_what_was_not_measured_is_left_out() -> None:
    assert spread([None, 2.0], 0) == "2"
    assert spread([None], 0) == "-"


def test_columns_are_aligned() -> None:
    assert aligned([["a", "100", "x"], ["long", "7", "yy"]]) == "a     100   x\nlong    7  yy"


def test_the_table_compares_the_modes_workload_by_workload() -> None:
    runs = with_run(good_runs(), Case(FILE_64, Mode.NONE, 1), lambda run: replace(run, max_events=800))
    lines = by_workload(runs, DEMO_WORKLOADS, DEMO_TITLES).splitlines()
    assert [line.split()[:2] for line in lines if line.endswith("with reclaimd")] == [
        ["file", "64"],
        ["file", "256"],
        ["anon", "128"],
    ]
    assert lines[1].split() == ["max", "events", "750", "(700-800)", "0"]


def test_progress_tells_which_run_ended_and_how() -> None:
    line = progress_line(3, 30, good_run(Case(FILE_64, Mode.RECLAIMD, 2)), DEMO_TITLES)
    assert " ".join(line.split()) == (
        "[ 3/30] file 64 with reclaimd run 2 max events 0 PSI some 250 ms wall 2.00 s"
    )


def test_progress_tells_why_a_run_could_not_be_made() -> None:
    line = progress_line(3, 30, Skip(Mode.DAMON, "file 64", "there is none"), BENCH_TITLES)
    assert line.endswith("cannot run: there is none")


def test_a_mode_s_row_has_the_measures_that_were_taken() -> None:
    heading, none, reclaimd = by_mode(good_runs(), FILE_64, [Mode.NONE, Mode.DAMON, Mode.RECLAIMD])
    assert "neighbour p99.9 us" not in heading
    assert none[0] == "none"
    assert none[heading.index("reclaim CPU s")] == "-"
    assert reclaimd[heading.index("reclaim CPU s")] == "0.500"
