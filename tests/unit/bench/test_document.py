# SPDX-License-Identifier: GPL-2.0-or-later
import json
from dataclasses import asdict, replace
from typing import Any

from tests.bench.document import document
from tests.bench.experiment import FILE_64, Mode, cases
from tests.bench.report import report_json
from tests.unit.bench.runs import good_run

MODES = (Mode.NONE, Mode.LOOP_1_MS, Mode.RECLAIMD)


def report(**more: object) -> dict[str, Any]:
    runs = [
        replace(good_run(case), wall_s=3.0 if case.mode is Mode.RECLAIMD else 2.0)
        for case in cases([FILE_64], MODES, 2)
    ]
    made = {"date": "2026-11-25", "machine": "2 CPUs", "skipped": [], "reaction": None} | more
    told: dict[str, Any] = json.loads(report_json("7.3.4", "tcg", runs, **made))
    assert told["runs"] == [asdict(run) for run in runs]
    return told


def test_it_says_when_and_where_the_runs_were_made() -> None:
    assert "2026-11-25, Linux 7.3.4, 2 CPUs, QEMU with TCG; 2 runs of each" in document(report())


def test_it_says_what_could_not_run_and_why() -> None:
    skip = {"mode": "damon", "workload": "file 64", "reason": "there is none"}
    assert "damon could not run: there is none." in document(report(skipped=[skip]))


def test_it_says_where_reclaimd_loses() -> None:
    _, _, losses = document(report()).partition("## Where reclaimd loses\n")
    assert "* file 64: wall time is 1.50 (1.50-1.50) times that of none\n" in losses


def test_it_says_which_marks_are_missed() -> None:
    text = document(report())
    assert "| 3. file 64: wall time at most 1.03 times that of the best |" in text
    assert "NOT REACHED" in text


def test_it_has_the_reaction_if_that_was_measured() -> None:
    one = {"count": 12, "p50_us": 64.0, "p99_us": 1024.0, "buckets": []}
    text = document(report(reaction={"cpu_idle": one, "both_busy": one}))
    assert "| the other CPU idle | 12 | 64 | 1024 |" in text


def test_workloads_that_did_not_run_are_left_out() -> None:
    text = document(report())
    assert "### file 64\n" in text
    assert "### anon 128\n" not in text
