# SPDX-License-Identifier: GPL-2.0-or-later
from collections import Counter

from reclaimd.bench.experiment import (
    BY_WORD,
    CGROUPS_64,
    DEMO_MODES,
    DEMO_WORKLOADS,
    FILE_64,
    FILE_256,
    WORKLOADS,
    Case,
    Mode,
    cases,
)


def test_the_modes_of_a_workload_are_run_in_turn() -> None:
    assert list(cases([FILE_64], DEMO_MODES, 2)) == [
        Case(FILE_64, Mode.NONE, 1),
        Case(FILE_64, Mode.RECLAIMD, 1),
        Case(FILE_64, Mode.RECLAIMD, 2),
        Case(FILE_64, Mode.NONE, 2),
    ]


def test_every_workload_has_its_runs_in_every_mode() -> None:
    made = Counter((case.workload, case.mode) for case in cases(WORKLOADS, list(Mode), 3))
    assert set(made.values()) == {3}
    assert len(made) == len(WORKLOADS) * len(Mode)


def test_each_mode_is_the_first_of_a_turn_once() -> None:
    modes = list(Mode)
    firsts = [case.mode for case in list(cases([FILE_64], modes, len(modes)))[:: len(modes)]]
    assert firsts == modes


def test_no_two_runs_share_a_cgroup() -> None:
    made = [cgroup for case in cases(WORKLOADS, list(Mode), 2) for cgroup in case.cgroups]
    assert len(made) == len(set(made))


def test_the_cgroups_of_all_modes_are_equally_deep() -> None:
    made = [cgroup for case in cases(WORKLOADS, list(Mode), 1) for cgroup in case.cgroups]
    assert {cgroup.count("/") for cgroup in made} == {2}


def test_a_workload_of_many_cgroups_has_as_many() -> None:
    assert len(Case(CGROUPS_64, Mode.NONE, 1).cgroups) == 64


def test_a_workload_is_found_by_its_word() -> None:
    assert BY_WORD["file-256"] is FILE_256


def test_the_demo_s_workloads_are_the_benchmark_s_first() -> None:
    assert WORKLOADS[: len(DEMO_WORKLOADS)] == DEMO_WORKLOADS
