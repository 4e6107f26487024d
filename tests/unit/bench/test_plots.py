# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

from reclaimd.bench.experiment import FILE_64, FILE_256, Mode, cases
from reclaimd.bench.plots import draw_runs, draw_usage
from reclaimd.bench.report import Measurement, Sample
from tests.unit.bench.runs import good_run

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
MODES = (Mode.NONE, Mode.RECLAIMD)


def test_usage_is_drawn_for_the_modes_that_ran(tmp_path: Path) -> None:
    samples = tuple(Sample(step * 5000, step << 20) for step in range(20))
    measurements = [Measurement(good_run(case), samples) for case in cases([FILE_64], MODES, 2)]
    draw_usage(measurements, FILE_64, tmp_path / "usage.png")
    assert (tmp_path / "usage.png").read_bytes().startswith(PNG_SIGNATURE)


def test_runs_are_drawn_where_some_workloads_and_values_are_missing(tmp_path: Path) -> None:
    runs = [good_run(case) for case in cases([FILE_64], MODES, 2)]
    draw_runs(runs, [FILE_64, FILE_256], lambda run: run.reclaim_cpu_s, "a title", tmp_path / "runs.png")
    assert (tmp_path / "runs.png").read_bytes().startswith(PNG_SIGNATURE)


def test_without_any_value_there_is_no_picture(tmp_path: Path) -> None:
    runs = [good_run(case) for case in cases([FILE_64], MODES, 2)]
    draw_runs(runs, [FILE_64], lambda run: run.neighbour_p999_us, "a title", tmp_path / "runs.png")
    assert not (tmp_path / "runs.png").exists()
