# SPDX-License-Identifier: GPL-2.0-or-later
"""reclaimd-bench makes its runs, and leaves nothing on the host; nothing_left_behind looks into the kernel."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.cgroups import ROOT, Cgroup
from tests.system.conftest import StartDaemon
from tests.system.load import limited

COMMAND = (sys.executable, "-m", "reclaimd.bench", "--workloads", "file-64")
BATCH = """\
policies:
  - name: batch
    match: /batch/*
    reclaim: {start: 24MiB, stop: 22MiB}
"""


@pytest.fixture
def place(disk: Path, tmp_path: Path) -> Iterator[list[str | Path]]:
    """Options that say where it may write, where it leaves nothing but results."""
    Cgroup(ROOT).enable_memory()
    before = {path.name for path in ROOT.iterdir()}
    yield ["--directory", disk, "--output", tmp_path / "results"]
    assert {path.name for path in ROOT.iterdir()} == before
    assert not list(disk.iterdir())


@pytest.mark.bpf_only("it measures the backend bpf")
def test_it_makes_all_runs_and_writes_what_they_showed(place: list[str | Path], tmp_path: Path) -> None:
    modes = ["none", "memory.high", "loop-1ms", "reclaimd"]
    command = [*COMMAND, "--runs", "1", "--modes", *modes, "--only-runs", *place]
    subprocess.run(command, check=True)
    report = json.loads((tmp_path / "results" / "report.json").read_text())
    assert sorted(run["mode"] for run in report["runs"]) == sorted(modes)
    governed = next(run for run in report["runs"] if run["mode"] == "reclaimd")
    assert governed["episodes"] > 0
    assert "## Marks" in (tmp_path / "results" / "benchmarks.md").read_text()


@pytest.mark.bpf_only("it measures the backend bpf")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("batch")
def test_a_signal_ends_it_with_nothing_left(place: list[str | Path], number: signal.Signals) -> None:
    command = [*COMMAND, "--runs", "50", "--modes", "reclaimd", *place]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as bench:
        assert bench.stdout
        while not bench.stdout.readline().startswith("["):
            assert bench.poll() is None
        bench.send_signal(number)
        bench.stdout.read()
    assert bench.returncode == 130


def test_a_host_that_is_governed_is_left_alone(
    place: list[str | Path], batch: Cgroup, start: StartDaemon
) -> None:
    leaf = limited(batch, "a", 32)
    start(BATCH)
    ended = subprocess.run([*COMMAND, *place], capture_output=True, text=True, check=False)
    assert ended.returncode == 69
    assert "governed by reclaimd already" in ended.stderr
    leaf.remove()
