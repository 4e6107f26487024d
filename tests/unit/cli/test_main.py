# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: exit statuses, and one clear line for what is wrong."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from reclaimd import __version__
from reclaimd.cli.main import main

VALID = """\
policies:
  - name: batch
    match: /batch/*
    reclaim: {start: 24MiB, stop: 22MiB}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A valid configuration."""
    path = tmp_path / "policy.yaml"
    path.write_text(VALID)
    return path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    """Run a command that fails; return its exit status and the lines on standard error."""
    status = main(arguments)
    return status, capsys.readouterr().err.splitlines()


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"reclaimd {__version__}\n"


def test_help_lists_every_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for status in (0, 1, 2, os.EX_UNAVAILABLE, os.EX_NOPERM, os.EX_CONFIG):
        assert f"\n  {status:2}  " in text


@pytest.mark.parametrize("arguments", [[], ["stop"], ["check"], ["run", "--frobnicate"]])
def test_a_wrong_command_line_is_status_2(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: reclaimd" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["check"], ["run", "--config"]])
def test_a_missing_file_is_named(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    status, lines = refused(capsys, *command, "/nowhere/policy.yaml")
    assert status == os.EX_CONFIG
    (line,) = lines
    assert line.startswith("reclaimd: /nowhere/policy.yaml: no such file")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", r":1:1: .*empty"),
        ("policies: [\n", r":2:1: "),
        (VALID + "    back_presure: {}\n", r":5:5: .*back_presure.*back_pressure"),
        (VALID.replace("22MiB", "24MiB"), r":4:35: .*not below start"),
        (VALID.replace("24MiB", "24M"), r":4:22: .*24MiB"),
    ],
    ids=["empty", "malformed", "unknown key", "start not above stop", "unit"],
)
@pytest.mark.parametrize("command", [["check"], ["run", "--config"]])
def test_a_mistake_is_one_line_with_its_place(
    capsys: pytest.CaptureFixture[str], policy: Path, command: list[str], text: str, line: str
) -> None:
    policy.write_text(text)
    status, lines = refused(capsys, *command, str(policy))
    assert status == os.EX_CONFIG
    assert len(lines) == 1
    assert re.match(re.escape(str(policy)) + line, lines[0])


def test_probe_gives_json_that_says_whether_the_daemon_can_run(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["probe", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["can_run"] is (status == 0)


def test_probe_for_people_ends_with_a_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["probe"])
    verdict = capsys.readouterr().out.splitlines()[-1]
    assert verdict.startswith("reclaimd can run here") == (status == 0)


def test_the_package_is_the_command() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "reclaimd", "check", "/nowhere/policy.yaml"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == os.EX_CONFIG
    assert ended.stderr.count("\n") == 1


def test_check_of_the_file_only_prints_nothing_if_it_is_valid(
    policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--file-only", str(policy)]) == 0
    assert capsys.readouterr() == ("", "")


def test_check_of_the_file_only_prints_its_mistakes(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy.write_text(VALID.replace("24MiB", "24MB"))
    status, (line,) = refused(capsys, "check", "--file-only", str(policy))
    assert status == os.EX_CONFIG
    assert f"{policy}:4:22: " in line
