# SPDX-License-Identifier: GPL-2.0-or-later
"""The package's benchmark beside its service."""

import json
import os
from pathlib import Path

import pytest

from tests.kernel.cgroups import ROOT
from tests.package.host import PINS, UNIT, run, systemctl

QUICK = ("--runs", "1", "--workloads", "file-64", "--modes", "none", "reclaimd", "--only-runs")


@pytest.mark.bpf_only("it measures the backend bpf")
@pytest.mark.usefixtures("installed")
def test_reclaimd_bench_runs_while_the_service_is_stopped_and_leaves_nothing(tmp_path: Path) -> None:
    places = ("--directory", os.environ["RECLAIMD_LAB_DISK"], "--output", str(tmp_path))
    refused = run("reclaimd-bench", *QUICK, *places, check=False)
    assert (refused.returncode, list(tmp_path.iterdir())) == (69, [])
    systemctl("stop", UNIT)
    run("reclaimd-bench", *QUICK, *places)
    report = json.loads((tmp_path / "report.json").read_text())
    (governed,) = (made for made in report["runs"] if made["mode"] == "reclaimd")
    assert governed["episodes"] > 0
    assert not PINS.exists()
    assert not list(ROOT.glob("reclaimd-bench*"))
