# SPDX-License-Identifier: GPL-2.0-or-later
from tests.bench.experiment import ANON_128, FILE_64, FILE_256, Case, Mode, cases


def test_modes_take_turns_within_each_workload() -> None:
    assert list(cases(2))[:4] == [
        Case(FILE_64, Mode.NONE, 1),
        Case(FILE_64, Mode.RECLAIMD, 1),
        Case(FILE_64, Mode.NONE, 2),
        Case(FILE_64, Mode.RECLAIMD, 2),
    ]


def test_workloads_follow_each_other() -> None:
    assert [case.workload for case in cases(1)] == [FILE_64, FILE_64, FILE_256, FILE_256, ANON_128, ANON_128]


def test_a_workload_is_named_by_kind_and_size() -> None:
    assert str(FILE_64) == "file 64"


def test_each_run_has_a_cgroup_of_its_own() -> None:
    assert len({case.cgroup for case in cases(2)}) == len(list(cases(2)))
