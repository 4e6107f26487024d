# SPDX-License-Identifier: GPL-2.0-or-later
import subprocess
from pathlib import Path

import pytest

from tests.bench.experiment import ANON_128
from tests.bench.measure import Timings, _run_workload, timeline
from tests.bench.report import Sample


def program(tmp_path: Path, script: str) -> Path:
    path = tmp_path / "workload"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_the_timeline_counts_from_the_workload_s_start_to_its_end() -> None:
    timings = Timings(started_ns=10_000_000, wall_s=0.005)
    samples = [(9_000_000, 0), (12_000_000, 4096), (15_000_000, 8192), (16_000_000, 4096)]
    assert timeline(samples, timings) == (Sample(-1000, 0), Sample(2000, 4096), Sample(5000, 8192))


def test_a_workload_that_was_killed_has_a_wall_time_and_no_latencies(tmp_path: Path) -> None:
    timings = _run_workload(program(tmp_path, "kill -9 $$"), ANON_128, tmp_path, tmp_path / "file")
    assert timings.wall_s > 0
    assert timings.p50_us is None


def test_a_workload_that_failed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError, match="status 1"):
        _run_workload(program(tmp_path, "exit 1"), ANON_128, tmp_path, tmp_path / "file")


def test_a_workload_tells_its_timings(tmp_path: Path) -> None:
    told = '{"started_ns": 7, "wall_s": 1.5, "operations": 4, "p50_us": 1, "p99_us": 2, "p999_us": 3, "max_us": 4}'
    timings = _run_workload(program(tmp_path, f"echo '{told}'"), ANON_128, tmp_path, tmp_path / "file")
    assert timings == Timings(7, 1.5, 1, 2, 3, 4)
