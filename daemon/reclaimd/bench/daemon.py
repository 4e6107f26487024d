# SPDX-License-Identifier: GPL-2.0-or-later
"""The real daemon, run in the guest for as long as there are runs to measure."""

import http.client
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reclaimd.backend.bpf import detach
from reclaimd.bench import exposition
from reclaimd.cli.ctl.connection import Connection
from reclaimd.errors import ReclaimdError
from reclaimd.service.control.address import DEFAULT_PATH

START_LIMIT_S = 120.0
STOP_LIMIT_S = 30.0
POLL_INTERVAL_S = 0.05
IDLE_FOR_S = 0.2
SCRAPE_LIMIT_S = 10.0
LOG_TAIL_LINES = 20
PAGE_BYTES = 4096


class DaemonError(ReclaimdError):
    """The daemon did not do what the runs need; the message ends with what it logged last."""


@dataclass(frozen=True, slots=True)
class Totals:
    """What the daemon counted for some cgroups; *worker_cpu_s* is the CPU time of the kernel's workers."""

    episodes: int = 0
    passes: int = 0
    pages_reclaimed: int = 0
    delays: int = 0
    delay_s: float = 0.0
    worker_cpu_s: float = 0.0


def totals(series: Sequence[exposition.Series], cgroups: Sequence[str]) -> Totals:
    """Add up the counters of *cgroups* (paths below the cgroup2 root) in a scrape."""

    def counted(name: str) -> float:
        return sum(exposition.total(series, f"reclaimd_{name}_total", cgroup=one) or 0 for one in cgroups)

    return Totals(
        episodes=int(counted("episodes")),
        passes=int(counted("passes")),
        pages_reclaimed=int(counted("reclaimed_bytes")) // PAGE_BYTES,
        delays=int(counted("delays")),
        delay_s=counted("delay_seconds"),
        worker_cpu_s=counted("reclaim_cpu_seconds"),
    )


@dataclass(frozen=True, slots=True)
class DaemonSetup:
    """How the daemon is started, where it is scraped and called, and what its log is appended to."""

    config: Path
    metrics_url: str
    log: Path
    socket: Path = DEFAULT_PATH


class Daemon:
    """A running daemon."""

    def __init__(self, process: subprocess.Popen[bytes], setup: DaemonSetup) -> None:
        self._process = process
        self._setup = setup

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    def wait_until_in_force(self, cgroups: Sequence[str]) -> None:
        """Wait until a rule for each of *cgroups* is in force.

        Raises:
            DaemonError: the daemon ended, or is not that far after START_LIMIT_S.
        """
        deadline_s = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline_s:
            if self._process.poll() is not None:
                raise self._error(f"ended with status {self._process.returncode}")
            try:
                series = self._scrape()
            except OSError:
                series = []  # it does not listen yet
            governed = {one.labels["cgroup"] for one in series if one.name == "reclaimd_start_bytes"}
            if governed.issuperset(cgroups):
                return
            time.sleep(POLL_INTERVAL_S)
        raise self._error(f"has no rules for {', '.join(cgroups)} in force after {START_LIMIT_S:g} s")

    def wait_until_idle(self) -> None:
        """Wait until the daemon has done what there was to do: its CPU time is not the workload's.

        Raises:
            DaemonError: it is still busy after START_LIMIT_S.
        """
        deadline_s = time.monotonic() + START_LIMIT_S
        before = self._cpu_ticks()
        while time.monotonic() < deadline_s:
            time.sleep(IDLE_FOR_S)
            if before == (before := self._cpu_ticks()):
                return
        raise self._error(f"is not idle after {START_LIMIT_S:g} s")

    def _cpu_ticks(self) -> tuple[str, str]:
        """Return its utime and stime (proc_pid_stat(5), whose second field may hold anything in brackets)."""
        stat = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return stat[11], stat[12]

    def totals(self, cgroups: Sequence[str]) -> Totals:
        """Return what the daemon counted for *cgroups* so far."""
        try:
            return totals(self._scrape(), cgroups)
        except OSError as error:
            raise self._error(f"does not answer a scrape ({error})") from error

    def reload(self) -> None:
        """Have it load its configuration again; returns once all rules are in force."""
        try:
            with Connection(self._setup.socket) as connection:
                connection.call("Reload")
        except ReclaimdError as error:
            raise self._error(f"does not reload ({error})") from error

    def rss_bytes(self) -> int:
        """Return its resident memory."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) * 1024

    def stop(self) -> None:
        """End the daemon as systemd does; raises DaemonError when it does not end well."""
        self._process.terminate()
        try:
            status = self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            raise self._error(f"runs on {STOP_LIMIT_S:g} s after SIGTERM") from None
        if status != 0:
            raise self._error(f"ended with status {status} after SIGTERM")

    def _scrape(self) -> list[exposition.Series]:
        try:
            with urllib.request.urlopen(self._setup.metrics_url, timeout=SCRAPE_LIMIT_S) as answer:  # noqa: S310  ours
                return exposition.parse(answer.read().decode())
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error

    def _error(self, what: str) -> DaemonError:
        tail = self._setup.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return DaemonError("\n".join([f"reclaimd {what}; its log's end:", *tail]))


@contextmanager
def running(setup: DaemonSetup) -> Iterator[Daemon]:
    """Start the daemon and end it afterwards.

    Raises:
        DaemonError: it does not end well.
    """
    with setup.log.open("ab") as stderr:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "reclaimd", "run"),
                *("--config", os.fspath(setup.config), "--socket", os.fspath(setup.socket)),
            ],
            stdin=subprocess.DEVNULL,
            stderr=stderr,
        )
    daemon = Daemon(process, setup)
    try:
        yield daemon
        daemon.stop()
    except BaseException:
        _end(process)
        raise


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End it whatever happened; killed, it would leave its rules in the kernel, which is what detach is for."""
    process.terminate()
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        detach()
