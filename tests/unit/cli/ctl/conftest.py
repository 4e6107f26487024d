# SPDX-License-Identifier: GPL-2.0-or-later
"""A daemon for the commands to talk to."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from reclaimd.cli.reclaimctl import main
from tests.unit.fake_cgroupfs import FakeCgroupfs
from tests.unit.service.running import RunningDaemon, add_parent

MIB = 1 << 20

TWO = """\
policies:
  - name: batch
    match: /batch/*
    reclaim: {start: 75%, stop: 50%, floor: 4MiB, rate: 8MiB/s, cpu: 20%}
    back_pressure: {start: 90%, max_delay: 40ms}
  - name: web
    match: /web
    mode: monitor
    protect: {as: low, while: {pgfaults: 5000/s}}
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit status, and the lines it wrote."""

    status: int
    out: list[str]
    err: list[str]


@dataclass(frozen=True, slots=True)
class Host:
    """A host with a daemon on it."""

    daemon: RunningDaemon
    _capsys: pytest.CaptureFixture[str]

    def reclaimctl(self, *arguments: str) -> Ended:
        """Run a command that talks to the daemon."""
        status = main([*arguments, f"--socket={self.daemon.socket}"])
        captured = self._capsys.readouterr()
        return Ended(status, captured.out.splitlines(), captured.err.splitlines())

    def id_of(self, path: str) -> int:
        """Return the id of a governed cgroup."""
        return next(rule.cgroup_id for rule in self.daemon.backend.rules.values() if rule.path == path)


Run = Callable[[Callable[[Host], None]], None]


@pytest.fixture
def run(cgroupfs: FakeCgroupfs, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a script beside a daemon that governs /batch/a and /web."""
    # Times of day are told in the zone of who asks.
    monkeypatch.setenv("TZ", "UTC")
    add_parent(cgroupfs, "/batch")
    cgroupfs.add("/batch/a", max_bytes=40 * MIB, current_bytes=12 * MIB)
    cgroupfs.add("/web")

    def run(script: Callable[[Host], None]) -> None:
        RunningDaemon(cgroupfs, TWO).run(lambda daemon: script(Host(daemon, capsys)))

    return run


def cells(lines: Sequence[str]) -> list[list[str]]:
    """Return lines split at white space."""
    return [line.split() for line in lines]


def no_daemon(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ended:
    """Run a command where no daemon listens."""
    status = main([*arguments, f"--socket={os.devnull}.sock"])
    captured = capsys.readouterr()
    return Ended(status, captured.out.splitlines(), captured.err.splitlines())
