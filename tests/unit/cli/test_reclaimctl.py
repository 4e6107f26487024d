# SPDX-License-Identifier: GPL-2.0-or-later
"""`reclaimctl`: its commands that need no daemon, JSON, exit statuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reclaimd import __version__
from reclaimd.cli.reclaimctl import main
from tests.unit.fake_cgroupfs import FakeCgroupfs

MIB = 1 << 20

VALID = """\
policies:
  - name: batch
    match: /batch/*
    reclaim: {start: 75%, stop: 50%}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A valid configuration."""
    path = tmp_path / "policy.yaml"
    path.write_text(VALID)
    return path


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == os.EX_OK
    assert capsys.readouterr().out == f"reclaimctl {__version__}\n"


def test_short_json_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version", "--json=short"]) == os.EX_OK
    assert capsys.readouterr().out == f'{{"version":"{__version__}"}}\n'


def test_pretty_json_is_indented(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version", "--json=pretty"]) == os.EX_OK
    assert capsys.readouterr().out == f'{{\n  "version": "{__version__}"\n}}\n'


def test_json_may_be_asked_for_before_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json=short", "version"]) == os.EX_OK
    assert json.loads(capsys.readouterr().out) == {"version": __version__}


@pytest.mark.parametrize("arguments", [[], ["stop"], ["check"], ["version", "--json=yaml"]])
def test_a_wrong_command_line_is_status_2(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: reclaimctl" in capsys.readouterr().err


def test_probe_gives_json_that_says_whether_the_daemon_can_run(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["probe", "--json=short"])
    assert json.loads(capsys.readouterr().out)["can_run"] is (status == os.EX_OK)


def test_check_gives_rules_as_json(
    policy: Path, cgroupfs: FakeCgroupfs, capsys: pytest.CaptureFixture[str]
) -> None:
    cgroupfs.add("/batch/a", max_bytes=40 * MIB)
    assert main(["check", "--json=short", str(policy), "--cgroup-root", str(cgroupfs.root)]) == os.EX_OK
    report = json.loads(capsys.readouterr().out)
    assert report["valid"] is True
    (rule,) = report["rules"]
    assert (rule["cgroup"], rule["policy"], rule["mode"]) == ("/batch/a", "batch", "enforce")
    assert rule["limit_bytes"] == 40 * MIB
    assert rule["reclaim"]["start"]["groups"] == [[{"metric": "usage", "window_ms": 0, "bytes": 30 * MIB}]]
    assert rule["reclaim"]["stop"]["text"] == "usage 20MiB"
    assert rule["back_pressure"] is None


def test_check_gives_mistakes_as_json(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.write_text(VALID.replace("75%", "75"))
    assert main(["check", "--json=short", str(policy)]) == os.EX_CONFIG
    report = json.loads(capsys.readouterr().out)
    assert report["valid"] is False
    (problem,) = report["problems"]
    assert (problem["file"], problem["line"], problem["column"]) == (str(policy), 4, 22)
    assert problem["severity"] == "error"


def test_check_says_the_same_as_reclaimds(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.write_text(VALID.replace("75%", "75"))
    assert main(["check", str(policy)]) == os.EX_CONFIG
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{policy}:4:22: ")


def test_a_reader_that_has_seen_enough_is_no_failure() -> None:
    script = (
        f"{sys.executable} -m reclaimd.cli.reclaimctl probe --json=pretty | true; echo ${{PIPESTATUS[0]}}"
    )
    ended = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr == ""
    assert ended.stdout.strip() in {"0", str(os.EX_UNAVAILABLE)}
