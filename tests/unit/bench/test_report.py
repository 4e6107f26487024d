# SPDX-License-Identifier: GPL-2.0-or-later
import json
from dataclasses import replace

from reclaimd.bench.experiment import FILE_64, FILE_256, Case, Mode
from reclaimd.bench.report import Measurement, Results, Run, Sample, Skip, report_json, select
from tests.unit.bench.runs import good_run, good_runs

REQUIRED_KEYS = {
    *(
        "mode",
        "workload",
        "size_mib",
        "limit_mib",
        "run",
        "max_events",
        "high_events",
        "oom_kills",
        "psi_some_us",
    ),
    *("pgscan_direct", "pgscan_proactive", "wall_s", "episodes", "passes", "pages_reclaimed"),
}


def sent(measurement: Measurement) -> Measurement:
    results = Results()
    assert isinstance(results.add_line(measurement.to_line()), Run)
    return results.measurements[0]


def test_a_measurement_survives_the_way_to_a_file_and_back() -> None:
    measurement = Measurement(
        good_run(Case(FILE_64, Mode.RECLAIMD, 3)), (Sample(-120, 0), Sample(5000, 4096))
    )
    assert sent(measurement) == measurement


def test_a_measurement_is_one_line() -> None:
    assert "\n" not in Measurement(good_run(Case(FILE_64, Mode.NONE, 1)), ()).to_line()


def test_latencies_of_a_killed_workload_stay_unknown() -> None:
    killed = replace(good_run(Case(FILE_64, Mode.NONE, 1)), oom_kills=1, ops_p50_us=None)
    assert sent(Measurement(killed, ())).run == killed


def test_a_skip_survives_the_way_to_a_file_and_back() -> None:
    results = Results()
    skip = Skip(Mode.DAMON, "file 64", "there is none")
    assert results.add_line(skip.to_line()) == skip
    assert (results.skips, results.runs) == ([skip], [])


def test_the_report_has_the_runs_and_what_else_there_is() -> None:
    report = json.loads(report_json(good_runs(1), kernel="7.3.4-memcgbpf"))
    assert report.keys() == {"kernel", "runs"}
    assert (report["kernel"], len(report["runs"])) == ("7.3.4-memcgbpf", 6)


def test_each_run_of_the_report_has_every_required_key() -> None:
    report = json.loads(report_json(good_runs(1)))
    assert all(run.keys() >= REQUIRED_KEYS for run in report["runs"])


def test_modes_and_workloads_are_words_in_the_report() -> None:
    report = json.loads(report_json(good_runs(1)))
    assert {run["mode"] for run in report["runs"]} == {"none", "reclaimd"}
    assert {run["workload"] for run in report["runs"]} == {"file", "anon"}


def test_selection_is_by_workload_size_and_mode() -> None:
    chosen = select(good_runs(2), FILE_256, Mode.NONE)
    assert [(run.name, run.mode, run.run) for run in chosen] == [
        ("file 256", Mode.NONE, 1),
        ("file 256", Mode.NONE, 2),
    ]
