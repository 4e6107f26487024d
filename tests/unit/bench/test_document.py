# SPDX-License-Identifier: GPL-2.0-or-later
import json
from dataclasses import asdict, replace
from typing import Any

from reclaimd.bench.document import document
from reclaimd.bench.experiment import FILE_64, Mode, cases
from reclaimd.bench.reaction import reaction
from reclaimd.bench.report import report_json
from reclaimd.bench.scale_report import Point
from tests.unit.bench.micros import micro
from tests.unit.bench.runs import good_run

MODES = (Mode.NONE, Mode.LOOP_1_MS, Mode.RECLAIMD)


def report(**more: object) -> dict[str, Any]:
    runs = [
        replace(good_run(case), wall_s=3.0 if case.mode is Mode.RECLAIMD else 2.0)
        for case in cases([FILE_64], MODES, 2)
    ]
    made = {"date": "2026-11-25", "version": "0.1.0", "kernel": "7.3.4", "machine": "2 CPUs"} | more
    told: dict[str, Any] = json.loads(report_json(runs, **made))
    assert told["runs"] == [asdict(run) for run in runs]
    return told


def test_it_says_when_and_where_the_runs_were_made() -> None:
    assert "2026-11-25, reclaimd 0.1.0, Linux 7.3.4, 2 CPUs; 2 runs of each" in document(report())
    assert "2 CPUs, QEMU with TCG; 2 runs" in document(report(accel="tcg"))


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


def test_it_has_the_reaction_as_a_histogram_if_that_was_measured() -> None:
    one = asdict(reaction([40, 90, 700]))
    text = document(report(reaction={"cpu_idle": one, "both_busy": one}))
    assert "| a CPU idle | 3 | 90 | 700 | 0 | 0 | 1 | 2 | 2 | 2 | 3 |" in text


def test_it_says_why_the_reaction_was_not_measured() -> None:
    text = document(report(reaction={"unavailable": "there is no trace"}))
    assert "### Reaction\n\nNot measured: there is no trace.\n" in text


def test_it_has_the_microbenchmark_if_that_was_made() -> None:
    text = document(report(micro=micro(nothing_attached=2001.0)))
    assert "the medians of 3 turns of 32 MiB" in text
    assert "| patched, nothing attached |" in text


def test_it_has_the_cost_of_many_cgroups_if_that_was_measured() -> None:
    point = Point(1000, 900.0, 0.25, 64 << 20, [890.0, 900.0, 950.0])
    assert "| 1,000 | 900 (890-950) | 0.25 | 64 |" in document(report(scale=[asdict(point)]))


def test_workloads_that_did_not_run_are_left_out() -> None:
    text = document(report())
    assert "### file 64\n" in text
    assert "### anon 128\n" not in text
