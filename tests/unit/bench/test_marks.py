# SPDX-License-Identifier: GPL-2.0-or-later
from dataclasses import replace

from reclaimd.bench.experiment import FILE_64, FILE_256, Case, Mode, cases
from reclaimd.bench.mark import Mark
from reclaimd.bench.marks import best_mode, marks, ratio
from reclaimd.bench.report import Run
from tests.unit.bench.runs import good_run

MODES = (Mode.NONE, Mode.LOOP_1_MS, Mode.RECLAIMD)


def runs_with(**psi_some_us: int) -> list[Run]:
    """Two turns of three modes, the stall of each as given."""
    made = [good_run(case) for case in cases([FILE_64], MODES, 2)]
    stalls = {Mode.NONE: "none", Mode.LOOP_1_MS: "loop", Mode.RECLAIMD: "reclaimd"}
    return [
        replace(run, psi_some_us=psi_some_us.get(stalls[run.mode], 1000), reclaim_cpu_s=0.5) for run in made
    ]


def found(made: list[Run], number: int, words: str = "") -> list[Mark]:
    return [mark for mark in marks(made, [FILE_64], {}) if mark.number == number and words in mark.claim]


def test_a_ratio_is_of_medians_with_the_range_of_the_turns() -> None:
    runs = [
        replace(good_run(Case(FILE_64, mode, turn)), wall_s=wall_s)
        for mode, walls in ((Mode.RECLAIMD, (1.0, 2.0, 6.0)), (Mode.NONE, (2.0, 2.0, 4.0)))
        for turn, wall_s in enumerate(walls, start=1)
    ]
    assert str(ratio(runs, FILE_64, lambda run: run.wall_s, (Mode.RECLAIMD, Mode.NONE))) == "1.00 (0.50-1.50)"


def test_there_is_no_ratio_to_nothing() -> None:
    assert ratio(runs_with(), FILE_64, lambda run: run.oom_kills, (Mode.RECLAIMD, Mode.NONE)) is None


def test_there_is_no_ratio_to_a_mode_that_did_not_run() -> None:
    assert ratio(runs_with(), FILE_64, lambda run: run.wall_s, (Mode.RECLAIMD, Mode.DAMON)) is None


def test_the_best_mode_is_another_than_reclaimd() -> None:
    made = runs_with(none=900, loop=800, reclaimd=1)
    assert best_mode(made, FILE_64, lambda run: run.psi_some_us) is Mode.LOOP_1_MS


def test_one_max_event_in_one_run_misses_the_first_mark() -> None:
    made = runs_with()
    assert [mark.reached for mark in found(made, 1)] == [True]
    at = next(place for place, run in enumerate(made) if run.mode is Mode.RECLAIMD)
    made[at] = replace(made[at], max_events=1)
    assert [mark.reached for mark in found(made, 1)] == [False]


def test_half_of_the_loop_s_stall_reaches_the_second_mark() -> None:
    assert [mark.reached for mark in found(runs_with(loop=1000, reclaimd=500), 2, "loop-1ms")] == [True]
    assert [mark.reached for mark in found(runs_with(loop=1000, reclaimd=501), 2, "loop-1ms")] == [False]


def test_a_tenth_of_the_stall_of_none_reaches_the_second_mark() -> None:
    assert [mark.reached for mark in found(runs_with(none=1000, reclaimd=100), 2, "none")] == [True]
    assert [mark.reached for mark in found(runs_with(none=1000, reclaimd=101), 2, "none")] == [False]


def test_wall_time_may_be_three_percent_behind_the_best() -> None:
    made = [
        replace(run, wall_s=1.03 if run.mode is Mode.RECLAIMD else 1.0 + (run.mode is Mode.NONE))
        for run in runs_with()
    ]
    assert [mark.reached for mark in found(made, 3, "wall time")] == [True]
    slower = [replace(run, wall_s=run.wall_s + 0.01 * (run.mode is Mode.RECLAIMD)) for run in made]
    assert [mark.reached for mark in found(slower, 3, "wall time")] == [False]


def test_a_mark_without_its_runs_is_not_measured() -> None:
    made = [run for run in runs_with() if run.mode is not Mode.LOOP_1_MS]
    assert [mark.reached for mark in found(made, 4)] == [None]


def test_workloads_that_did_not_run_have_no_marks() -> None:
    assert not [mark for mark in marks(runs_with(), [FILE_64], {}) if str(FILE_256) in mark.claim]


def test_the_reaction_is_judged_with_a_cpu_idle() -> None:
    def reached(p50_us: float, p99_us: float) -> bool | None:
        told = {"cpu_idle": {"p50_us": p50_us, "p99_us": p99_us}}
        return next(mark.reached for mark in marks([], [], {"reaction": told}) if mark.number == 6)

    assert reached(64, 1000) is True
    assert reached(256, 1000) is False
    assert reached(64, 1024) is False


def test_a_mark_is_one_line() -> None:
    assert str(Mark(2, "less", "0.4", reached=True)) == "reached       2. less: 0.4"
    assert str(Mark(2, "less", "0.6", reached=False)) == "NOT REACHED   2. less: 0.6"
