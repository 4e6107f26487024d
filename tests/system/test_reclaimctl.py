# SPDX-License-Identifier: GPL-2.0-or-later
"""Each command of reclaimctl that needs a daemon, asked of a real one."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.backends import BPF, MEMORY_RECLAIM
from tests.kernel.cgroups import Cgroup, Charger
from tests.system.conftest import StartDaemon
from tests.system.daemon import PATIENCE_S, Daemon
from tests.system.load import limited, write_and_read, writing
from tests.system.rules import MIB_PAGES

POLICY = """\
policies:
  - name: batch
    match: /batch/*
    reclaim: {start: 24MiB, stop: 22MiB}
    back_pressure: {start: 29MiB, max_delay: 100ms}
    on_missing: warn
"""
COMMAND = (sys.executable, "-m", "reclaimd.cli.reclaimctl")
READ_BYTES = 1 << 12


@pytest.fixture
def leaf(batch: Cgroup) -> Cgroup:
    """The cgroup /batch/a of 32 MiB."""
    return limited(batch, "a", 32)


@pytest.fixture
def daemon(leaf: Cgroup, disk: Path, start: StartDaemon) -> Daemon:
    """A daemon that has had to do with it."""
    daemon = start(POLICY)
    write_and_read(leaf, disk / "data", 64)
    daemon.wait_for("episode", reason="usage")
    return daemon


def _run(daemon: Daemon, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *arguments, "--socket", str(daemon.socket)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def _text(daemon: Daemon, *arguments: str) -> str:
    ended = _run(daemon, *arguments)
    assert (ended.returncode, ended.stderr) == (os.EX_OK, "")
    return ended.stdout


def _json(daemon: Daemon, *arguments: str) -> Any:  # noqa: ANN401  whatever it prints
    (line,) = _text(daemon, "--json=short", *arguments).splitlines()
    return json.loads(line)


def test_it_shows_what_the_daemon_does(daemon: Daemon, backend_name: str) -> None:
    assert str(daemon.pid) in _text(daemon, "status")
    (policy,) = _json(daemon, "status")["policies"]
    assert policy.items() >= {"name": "batch", "mode": "enforce", "paused": False, "cgroups": 1}.items()
    assert ("back_pressure" in policy["lacks"]) is (backend_name == MEMORY_RECLAIM)
    assert _text(daemon, "list", "--names") == "/batch/a\n"
    (listed,) = _json(daemon, "list")
    shown = _json(daemon, "show", "/batch/a")
    assert shown["governed"]["counters"]["episodes"] >= listed["counters"]["episodes"] > 0
    if backend_name == BPF:
        assert shown["memory_events"]["max"] == 0
    assert "24MiB" in _text(daemon, "show", "/batch/a")
    assert "usage" in _text(daemon, "events")
    assert "/batch/a" in _text(daemon, "top", "--batch", "-n", "2", "-d", "0.2")


def test_it_steers_the_daemon(daemon: Daemon, leaf: Cgroup, disk: Path) -> None:
    _text(daemon, "pause", "batch")
    assert _json(daemon, "status")["policies"][0]["paused"]
    write_and_read(leaf, disk / "data", 64)
    daemon.wait_for("episode", reason="monitored")
    _text(daemon, "resume", "batch")
    write_and_read(leaf, disk / "data", 64)
    daemon.wait_for("episode", reason="usage")
    _text(daemon, "reload")
    daemon.wait_for("reloaded")


def test_it_tells_of_what_it_cannot_do_by_its_exit_status(daemon: Daemon) -> None:
    nowhere = _run(daemon, "show", "/nowhere")
    assert (nowhere.returncode, nowhere.stdout) == (os.EX_NOINPUT, "")
    assert len(nowhere.stderr.splitlines()) == 1
    daemon.stop()
    assert _run(daemon, "status").returncode == os.EX_UNAVAILABLE


def test_it_reclaims_and_waits_for_that(daemon: Daemon, leaf: Cgroup, disk: Path) -> None:
    with Charger(leaf) as charger:
        charger.file(disk / "file", 16 * MIB_PAGES)
    before_pages = leaf.usage_pages
    assert "8" in _text(daemon, "reclaim", "/batch/a", "8MiB")
    assert leaf.usage_pages < before_pages - 7 * MIB_PAGES
    less = _run(daemon, "reclaim", "/batch/a", "1GiB")
    assert less.returncode == 1


def test_events_are_followed_as_they_come(daemon: Daemon, leaf: Cgroup, disk: Path) -> None:
    command = [*COMMAND, "--json=short", "events", "--follow", "--socket", str(daemon.socket)]
    with (
        writing(leaf, disk / "data", 512),
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as follower,
    ):
        assert follower.stdout
        numbers = [json.loads(follower.stdout.readline())["number"] for _ in range(15)]
        follower.terminate()
    assert numbers == list(range(numbers[0], numbers[0] + 15)), "none is left out"


def test_top_draws_on_a_terminal(daemon: Daemon) -> None:
    ours, its = pty.openpty()
    command = [*COMMAND, "top", "-n", "2", "-d", "0.2", "--socket", str(daemon.socket)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "30"}
    drawn = b""
    with subprocess.Popen(command, stdout=its, stderr=its, env=environment) as top:
        os.close(its)
        try:
            while data := os.read(ours, READ_BYTES):
                drawn += data
        except OSError:
            pass  # EIO: nobody has the other end open any more
        os.close(ours)
        assert top.wait(PATIENCE_S) == os.EX_OK, drawn
    assert b"/batch/a" in drawn
    assert b"\x1b[" in drawn, "it moves the cursor"
