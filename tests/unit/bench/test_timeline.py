# SPDX-License-Identifier: GPL-2.0-or-later
from dataclasses import replace
from pathlib import Path

from reclaimd.bench.experiment import DEMO_MODES, FILE_64, FILE_256, Case, Mode
from reclaimd.bench.report import Measurement, Sample
from tests.bench.shipped import Threshold
from tests.bench.timeline import draw, typical
from tests.unit.bench.runs import good_run

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
SAMPLES = tuple(Sample(step * 5000, step << 20) for step in range(20))
THRESHOLDS = (Threshold("limit", 32), Threshold("start", 24), Threshold("stop", 22))


def measurement(case: Case, wall_s: float) -> Measurement:
    return Measurement(replace(good_run(case), wall_s=wall_s), SAMPLES)


def test_the_typical_run_has_the_median_wall_time() -> None:
    measurements = [
        measurement(Case(FILE_64, Mode.NONE, 1), 9.0),
        measurement(Case(FILE_64, Mode.NONE, 2), 1.0),
        measurement(Case(FILE_64, Mode.NONE, 3), 2.0),
        measurement(Case(FILE_64, Mode.RECLAIMD, 1), 2.0),
        measurement(Case(FILE_256, Mode.NONE, 1), 2.0),
    ]
    assert typical(measurements, FILE_64, Mode.NONE).run.run == 3


def test_the_picture_is_a_png_file(tmp_path: Path) -> None:
    runs = [measurement(Case(FILE_64, mode, 1), 0.1) for mode in DEMO_MODES]
    draw("a title", runs, THRESHOLDS, tmp_path / "timeline.png")
    assert (tmp_path / "timeline.png").read_bytes().startswith(PNG_SIGNATURE)
