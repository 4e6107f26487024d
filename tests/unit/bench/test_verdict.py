# SPDX-License-Identifier: GPL-2.0-or-later
from dataclasses import replace

import pytest

from reclaimd.bench.experiment import ANON_128, FILE_64, FILE_256, Case, Mode, Workload
from reclaimd.bench.report import Run
from tests.bench.verdict import Check, checks, failed
from tests.unit.bench.runs import good_runs, with_run


def missed(runs: list[Run]) -> list[Check]:
    return [check for check in checks(runs) if not check.met]


def test_runs_as_they_should_be_meet_every_check() -> None:
    assert missed(good_runs()) == []


@pytest.mark.parametrize("workload", [FILE_64, FILE_256])
def test_one_max_event_in_a_file_run_with_reclaimd_fails_the_demo(workload: Workload) -> None:
    runs = with_run(good_runs(), Case(workload, Mode.RECLAIMD, 2), lambda run: replace(run, max_events=1))
    assert failed(list(checks(runs)))
    assert [check.figures for check in missed(runs)] == ["0 1"]


def test_five_max_events_in_an_anon_run_are_within_bounds() -> None:
    assert (
        missed(
            with_run(good_runs(), Case(ANON_128, Mode.RECLAIMD, 1), lambda run: replace(run, max_events=5))
        )
        == []
    )


def test_six_max_events_in_an_anon_run_are_a_miss_but_no_failure() -> None:
    runs = with_run(good_runs(), Case(ANON_128, Mode.RECLAIMD, 1), lambda run: replace(run, max_events=6))
    assert [check.figures for check in missed(runs)] == ["6 0"]
    assert not failed(list(checks(runs)))


@pytest.mark.parametrize("workload", [FILE_64, FILE_256, ANON_128])
def test_an_oom_kill_with_reclaimd_fails_the_demo(workload: Workload) -> None:
    runs = with_run(good_runs(), Case(workload, Mode.RECLAIMD, 1), lambda run: replace(run, oom_kills=1))
    assert failed(list(checks(runs)))


def test_an_oom_kill_without_reclaimd_is_not_reclaimd_s_failure() -> None:
    assert (
        missed(with_run(good_runs(), Case(ANON_128, Mode.NONE, 1), lambda run: replace(run, oom_kills=1)))
        == []
    )


def test_a_workload_that_does_not_press_against_its_limit_is_a_miss() -> None:
    runs = with_run(good_runs(), Case(FILE_64, Mode.NONE, 1), lambda run: replace(run, max_events=300))
    assert [check.figures for check in missed(runs)] == ["300 700"]
    assert not failed(list(checks(runs)))


def test_wall_time_is_compared_by_medians() -> None:
    assert (
        missed(with_run(good_runs(3), Case(FILE_64, Mode.RECLAIMD, 2), lambda run: replace(run, wall_s=60.0)))
        == []
    )


def test_a_median_wall_time_over_the_ratio_is_a_miss() -> None:
    runs = with_run(good_runs(1), Case(FILE_64, Mode.RECLAIMD, 1), lambda run: replace(run, wall_s=2.32))
    assert [check.figures for check in missed(runs)] == ["2.32 s / 2.00 s = 1.16"]
    assert not failed(list(checks(runs)))


def test_a_check_tells_its_claim_and_its_figures_in_one_line() -> None:
    assert str(Check("max events 0", "0 3", met=False)) == "MISSED  max events 0: 0 3"
    assert str(Check("max events 0", "0 0", met=True)) == "met     max events 0: 0 0"
