# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands in the lab root, and what they leave behind."""

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab import CHECKOUT
from tests.lab.chroot import Chroot
from tests.lab.errors import LabError
from tests.lab.root import root

WAIT_S = 10.0


def test_directories_are_where_they_were_asked_for_and_can_be_written(tmp_path: Path) -> None:
    inside = Chroot(root(), {"one": tmp_path}, {"WORD": "text"})
    assert inside.output(["sh", "-c", 'echo "$WORD" > file; pwd'], cwd="/mnt/one") == "/mnt/one\n"
    assert (tmp_path / "file").read_text() == "text\n"


def test_root_itself_cannot_be_changed() -> None:
    with pytest.raises(LabError, match="Read-only file system"):
        Chroot(root()).output(["touch", "/etc/changed"], cwd="/")


def test_environment_of_the_host_stays_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKEFLAGS", "--no-such-flag")
    assert "MAKEFLAGS" not in Chroot(root()).output(["env"], cwd="/")


HOLDER = """
import subprocess, sys
from tests.lab.chroot import Chroot
from tests.lab.root import root

argv = Chroot(root()).argv(["sh", "-c", 'echo up; exec sleep "$0"', sys.argv[1]], "/")
subprocess.run(argv, check=False)
"""


def _process(word: str) -> int:
    """The process that has this argument and runs in the lab root."""
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if (directory / "root").readlink() == root() and word in (directory / "cmdline").read_text():
                return int(directory.name)
        except OSError:
            continue  # it ended while we looked
    raise ProcessLookupError(word)


def test_killed_builder_leaves_no_process_and_no_mount() -> None:
    seconds = "86399.125"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, seconds], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "up\n"
        inside = os.pidfd_open(_process(seconds))
        holder.kill()
    ended, _, _ = select.select([inside], [], [], WAIT_S)
    os.close(inside)
    assert ended
    assert str(root()) not in Path("/proc/self/mounts").read_text()
