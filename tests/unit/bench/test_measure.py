# SPDX-License-Identifier: GPL-2.0-or-later
import subprocess
import time
from pathlib import Path

import pytest

from reclaimd.bench.measure import killed_after, timeline
from reclaimd.bench.report import Sample
from reclaimd.bench.unavailable import UnavailableError
from reclaimd.bench.workloads import Latencies, Timings, run_program


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
    timings = run_program([program(tmp_path, "kill -9 $$")])
    assert timings.wall_s > 0
    assert timings.latencies is None


def test_a_workload_that_failed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError, match="status 1"):
        run_program([program(tmp_path, "exit 1")])


def test_a_workload_tells_its_timings(tmp_path: Path) -> None:
    told = '{"started_ns": 7, "wall_s": 1.5, "operations": 4, "p50_us": 1, "p99_us": 2, "p999_us": 3, "max_us": 4}'
    timings = run_program([program(tmp_path, f"echo '{told}'")])
    assert timings == Timings(7, 1.5, 4, Latencies(1, 2, 3, 4))


def outlast_the_limit(cgroup: Path, script: str) -> None:
    with killed_after(0, [cgroup]):
        while not (cgroup / "cgroup.kill").exists():
            time.sleep(0.01)
        subprocess.run(["sh", "-c", script], check=True)


@pytest.mark.parametrize("script", ["true", "false"])
def test_what_lasts_too_long_is_killed_and_said_not_to_be_done(tmp_path: Path, script: str) -> None:
    with pytest.raises(UnavailableError, match="not done after 0 s"):
        outlast_the_limit(tmp_path, script)
    assert (tmp_path / "cgroup.kill").read_text() == "1"


def test_what_fails_in_time_has_failed(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError), killed_after(60, [tmp_path]):
        subprocess.run(["false"], check=True)
    assert not (tmp_path / "cgroup.kill").exists()
