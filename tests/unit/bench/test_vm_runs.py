# SPDX-License-Identifier: GPL-2.0-or-later
import json
from pathlib import Path

from reclaimd.bench.command import make_parser
from reclaimd.bench.experiment import DEMO_MODES, FILE_64, FILE_256
from reclaimd.bench.report import report_json
from reclaimd.bench.session import Plan
from tests.bench.vm_runs import add_to_report, bench_command, fresh_directory
from tests.unit.bench.runs import good_runs

PLAN = Plan([FILE_64, FILE_256], DEMO_MODES, 3)


def test_the_guest_is_told_what_to_run_in_words_of_the_command() -> None:
    _, _, module, *arguments = bench_command(Path("/out"), PLAN, ["--only-runs"])
    assert module == "reclaimd.bench"
    options = make_parser().parse_args(arguments)
    assert (options.modes, options.workloads) == (["none", "reclaimd"], ["file-64", "file-256"])
    assert (options.runs, options.output, options.only_runs) == (3, Path("/out"), True)


def test_what_the_guest_does_not_know_is_added_to_its_report(tmp_path: Path) -> None:
    about = {"date": "2026-11-25", "version": "0.1.0", "kernel": "7.3.4", "machine": "a guest"}
    (tmp_path / "report.json").write_text(report_json(good_runs(1), **about))
    add_to_report(tmp_path, machine="2 CPUs", accel="tcg")
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["machine"], report["accel"], len(report["runs"])) == ("2 CPUs", "tcg", 6)
    assert "2 CPUs, QEMU with TCG" in (tmp_path / "benchmarks.md").read_text()


def test_results_of_an_earlier_time_are_gone(tmp_path: Path) -> None:
    (tmp_path / "report.json").touch()
    fresh_directory(tmp_path, (tmp_path / "report.json", tmp_path / "never-made"))
    assert list(tmp_path.iterdir()) == []
