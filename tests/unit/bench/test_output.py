# SPDX-License-Identifier: GPL-2.0-or-later
import json
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from reclaimd.bench.experiment import DEMO_MODES, DEMO_WORKLOADS, FILE_64, Case, Mode
from reclaimd.bench.output import Output, draw_pictures, read_results, tables
from reclaimd.bench.reaction import reaction
from reclaimd.bench.report import Measurement, Sample, Skip
from tests.unit.bench.runs import good_run, good_runs

ABOUT = {"date": "2026-11-25", "version": "0.1.0", "kernel": "7.3.4", "machine": "2 CPUs"}
SKIP = Skip(Mode.DAMON, "file 64", "there is none")


@pytest.fixture
def output(tmp_path: Path) -> Output:
    made = Output(tmp_path / "new" / "results")
    for run in good_runs(1):
        made.add(Measurement(run, (Sample(0, 4096),)))
    made.add(SKIP)
    return made


def test_runs_are_written_as_they_end(output: Output) -> None:
    read = read_results(output.directory)
    assert (read.runs, read.skips) == (good_runs(1), [SKIP])
    assert not output.report.exists()


def test_the_report_has_runs_and_skips_and_the_document_is_made_of_it(output: Output) -> None:
    output.finish(ABOUT)
    report = json.loads(output.report.read_text())
    assert (len(report["runs"]), report["skipped"][0]["reason"]) == (6, "there is none")
    assert "damon could not run: there is none." in output.document.read_text()


def test_results_of_an_earlier_time_are_gone_and_nothing_else(output: Output) -> None:
    output.finish(ABOUT)
    for name in ("stall.png", "notes.txt"):
        (output.directory / name).touch()
    Output(output.directory)
    assert [path.name for path in output.directory.iterdir()] == ["notes.txt"]


def test_a_table_says_which_modes_could_not_run(output: Output) -> None:
    text = tables(output.results, DEMO_WORKLOADS, [*DEMO_MODES, Mode.DAMON])
    assert "damon: cannot run: there is none" in text
    assert len(text.split("\n\n")) == len(DEMO_WORKLOADS)


def test_pictures_are_drawn_where_they_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = Output(tmp_path)
    output.add(Measurement(good_run(Case(FILE_64, Mode.NONE, 1)), (Sample(0, 4096), Sample(9, 8192))))
    told = asdict(reaction([40, 700]))
    output.finish(ABOUT | {"reaction": {"cpu_idle": told, "both_busy": told}})
    assert draw_pictures(output.results, [FILE_64], tmp_path) is None
    assert {"usage-file-64.png", "reaction.png"} <= {path.name for path in tmp_path.iterdir()}
    monkeypatch.setitem(sys.modules, "reclaimd.bench.plots", None)
    assert "python3-matplotlib" in str(draw_pictures(output.results, [FILE_64], tmp_path))
