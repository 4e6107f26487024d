# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon beside a service manager and a journal: their sockets are real, who listens is the test."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kernel.cgroups import Cgroup
from tests.system.daemon import COMMAND, PATIENCE_S, free_port
from tests.system.load import limited

JOURNAL_SOCKET = Path("/run/systemd/journal/socket")
IN_FORCE = "MESSAGE_ID=92714a1ade26454cb17b3d3d48c5c64e"
POLICIES = """\
policies:
  - name: batch
    match: /batch/*
    reclaim: {start: 24MiB, stop: 22MiB}
"""


@contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(PATIENCE_S)
        yield listener
    path.unlink()


@contextmanager
def _daemon(config: Path, stderr: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    config.write_text(f"{POLICIES}metrics: {{listen: '127.0.0.1:{free_port()}'}}\n")
    with stderr.open("wb") as file:
        status = os.fstat(file.fileno())
        process = subprocess.Popen(
            [*COMMAND, "run", "--config", config],
            stderr=file,
            env={**os.environ, "JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}", **environment},
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


@pytest.fixture
def stderr(batch: Cgroup, tmp_path: Path) -> Path:
    """What stands for the journal's stream; there is a cgroup to govern."""
    limited(batch, "a", 32)
    return tmp_path / "stderr"


def test_systemd_is_told_of_the_start_signs_of_life_and_the_stop(
    config: Path, stderr: Path, tmp_path: Path
) -> None:
    with _listening(tmp_path / "notify") as manager:
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
        with _daemon(config, stderr, **environment):
            told = [manager.recv(4096).decode()]
            assert told[0] == "READY=1\nSTATUS=Policies: 1, cgroups with a rule: 1, episodes: 0"
            told += [manager.recv(4096).decode() for _ in range(3)]
            assert set(told[1:]) == {"WATCHDOG=1"}
        while told[-1] == "WATCHDOG=1":
            told.append(manager.recv(4096).decode())
        assert told[-1] == "STOPPING=1"


def test_lines_are_journal_entries_where_standard_error_is_the_journals(config: Path, stderr: Path) -> None:
    with _listening(JOURNAL_SOCKET) as journal:
        with _daemon(config, stderr):
            fields = []
            while IN_FORCE not in fields:
                fields = journal.recv(65536).decode().splitlines()
        assert "PRIORITY=6" in fields
        assert "RULES=1" in fields
        assert any(field.startswith("MESSAGE=in force rules=1 ") for field in fields)
    assert stderr.read_text() == ""
