# SPDX-License-Identifier: GPL-2.0-or-later
"""The shells' completion is what the parsers come to."""

import os
import runpy
import subprocess
from pathlib import Path

import pytest

COMPLETION = Path(__file__).parents[3] / "packaging" / "completion"


def generated() -> dict[str, str]:
    """Return the files' names and what they are to hold."""
    return dict(runpy.run_path(str(COMPLETION / "generate.py"))["generated"]())


def test_the_files_are_what_is_generated() -> None:
    files = {path.name: path.read_text() for path in COMPLETION.iterdir() if path.is_file()}
    del files["generate.py"]
    assert files == generated(), "run python3 packaging/completion/generate.py"


@pytest.fixture
def reclaimctl(tmp_path: Path) -> Path:
    """A directory with a reclaimctl that knows of some cgroups and policies."""
    command = tmp_path / "reclaimctl"
    command.write_text(
        '#!/bin/sh\n[ "$*" = "list --names" ] && echo /batch/a /batch/b\n'
        '[ "$*" = "status --names" ] && echo batch\nexit 0\n'
    )
    command.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        (["sta"], ["status"]),
        (["show", "/batch/"], ["/batch/a", "/batch/b"]),
        (["pause", ""], ["batch"]),
        (["status", "--na"], ["--names"]),
        (["events", "--json", ""], ["pretty", "short"]),
    ],
    ids=" ".join,
)
def test_bash_completes(reclaimctl: Path, words: list[str], completions: list[str]) -> None:
    script = (
        f'source {COMPLETION / "reclaimctl.bash"}; COMP_WORDS=(reclaimctl "$@"); COMP_CWORD=$#; '
        "_shtab_reclaimctl; printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    ended = subprocess.run(
        ["bash", "-c", script, "bash", *words],
        env={**os.environ, "PATH": f"{reclaimctl}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(completions) <= set(ended.stdout.split())
