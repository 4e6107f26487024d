# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from reclaimd.bench import session
from reclaimd.bench.experiment import FILE_64, FILE_256, Case, Mode
from reclaimd.bench.reclaimers import Setup
from reclaimd.bench.report import Measurement, Skip
from reclaimd.bench.session import Plan, make_runs, reactions, scale
from reclaimd.bench.unavailable import UnavailableError
from tests.unit.bench.runs import good_run

PLAN = Plan([FILE_64, FILE_256], [Mode.NONE, Mode.DAMON], 2)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Case]:
    """What is measured, on a host without DAMON and without a daemon."""
    cases: list[Case] = []

    def measure(_setup: Setup, case: Case) -> Measurement:
        cases.append(case)
        if case.mode is not Mode.NONE:
            raise UnavailableError(f"there is no {case.mode}")
        return Measurement(good_run(case), ())

    monkeypatch.setattr(session, "measure", measure)
    return cases


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    """Of a host without a daemon."""
    return Setup(tmp_path, "", tmp_path, tmp_path, no_daemon="the kernel cannot")


def test_a_plan_counts_its_runs() -> None:
    assert PLAN.total == 8


def test_a_mode_that_cannot_run_a_workload_is_tried_once(measured: list[Case], setup: Setup) -> None:
    told = list(make_runs(setup, PLAN))
    assert [one.workload for one in told if isinstance(one, Skip)] == ["file 64", "file 256"]
    assert len([case for case in measured if case.mode is Mode.DAMON]) == 2


def test_the_first_run_of_all_is_not_told(measured: list[Case], setup: Setup) -> None:
    told = list(make_runs(setup, PLAN))
    assert [one.run.run for one in told if isinstance(one, Measurement)] == [1, 2, 1, 2]
    assert [case.run for case in measured if case.mode is Mode.NONE] == [0, 1, 2, 1, 2]


def test_without_a_daemon_there_is_nothing_further_to_measure(setup: Setup) -> None:
    assert reactions(setup) == {"unavailable": "the kernel cannot"}
    assert scale(setup) == []
