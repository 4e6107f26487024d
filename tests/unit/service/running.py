# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the real daemon on a fake cgroupfs and a backend in memory, and a test's script beside it."""

import json
import os
import select
import signal
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reclaimd.backend.base import Chosen
from reclaimd.config import LoadedConfig, parse_config
from reclaimd.config.listen import ListenAddress
from reclaimd.config.models import Log, LogFormat, LogLevel
from reclaimd.service.lifecycle import Surroundings, serve
from reclaimd.service.log import DaemonLog, LineWriter
from reclaimd.service.manager import ServiceManager
from tests.unit.fake_cgroupfs import FakeCgroupfs
from tests.unit.service.memory_backend import MemoryBackend

MIB = 1 << 20
TIMEOUT_S = 20.0

BATCH = """\
policies:
  - name: batch
    match: /batch/*
    reclaim: {start: 75%, stop: 50%}
"""

Record = dict[str, Any]


def load(text: str, port: int = 0, host: str = "127.0.0.1") -> LoadedConfig:
    """Parse a configuration, and serve its metrics on a free port unless told which."""
    loaded = parse_config(text.encode(), "policy.yaml")
    listen = ListenAddress(host, port)
    metrics = loaded.config.metrics.model_copy(update={"listen": listen})
    return LoadedConfig(loaded.config.model_copy(update={"metrics": metrics}), loaded.document)


def add_parent(cgroupfs: FakeCgroupfs, path: str) -> None:
    """Make a cgroup that will have children."""
    cgroupfs.add(path)
    (cgroupfs.root / path[1:] / "cgroup.subtree_control").write_text("")


def appear(cgroupfs: FakeCgroupfs, path: str, *, max_bytes: int | None = None) -> int:
    """Make a cgroup while the daemon runs; return its id.

    A directory of ordinary files does not come into being at once, as a cgroup does. So it is made first
    and then given its controller, as can happen to a real one.
    """
    cgroup_id = cgroupfs.add(path, max_bytes=max_bytes)
    with (cgroupfs.root / path[1:]).parent.joinpath("cgroup.subtree_control").open("r+") as file:
        file.write("memory\n")
    return cgroup_id


def set_max(cgroupfs: FakeCgroupfs, path: str, max_bytes: int) -> None:
    """Change a memory.max at run time."""
    with (cgroupfs.root / path[1:] / "memory.max").open("r+") as file:
        file.write(f"{max_bytes}\n")


class RunningDaemon:
    """A daemon that runs in the main thread, as it must for its signals, and the script in another."""

    def __init__(self, cgroupfs: FakeCgroupfs, text: str = BATCH, *, port: int = 0) -> None:
        self.cgroupfs = cgroupfs
        self.backend = MemoryBackend()
        self.manager = ServiceManager()
        self.log: list[Record] = []
        #: What a reload finds: the text, and where metrics are served.
        self.text = text
        self.port = port
        self.host = "127.0.0.1"
        #: Where it is controlled.
        self.socket = cgroupfs.root.parent / "io.reclaimd"
        self._read_fd, self._write_fd = os.pipe2(os.O_CLOEXEC)
        self._unread = b""
        self._at = 0

    def run(self, script: Callable[["RunningDaemon"], None], stop: signal.Signals = signal.SIGTERM) -> None:
        """Run the daemon until the script has ended and a signal has stopped it."""
        failures: list[BaseException] = []
        thread = threading.Thread(target=self._play, args=(script, stop, failures))
        thread.start()
        try:
            self._serve()
        finally:
            thread.join()
            self._finish()
        if failures:
            raise failures[0]

    def fail_to_start(self) -> None:
        """Run the daemon alone, for when it raises before it has started."""
        try:
            self._serve()
        finally:
            self._finish()

    def wait_for_line(self, event: str, **fields: object) -> Record:
        """Return the first line about *event* with these fields, after those returned so far."""
        while True:
            for at in range(self._at, len(self.log)):
                record = self.log[at]
                if record["event"] == event and fields.items() <= record.items():
                    self._at = at + 1
                    return record
            self._read_more()

    def lines(self, event: str) -> list[Record]:
        """Return all lines about *event*, once the daemon has stopped."""
        return [record for record in self.log if record["event"] == event]

    def reload(self, text: str) -> None:
        """Have the daemon load this text."""
        self.text = text
        os.kill(os.getpid(), signal.SIGHUP)

    def scrape(self) -> str:
        """Return what the metrics' address answers."""
        address = [record["metrics"] for record in self.log if "metrics" in record][-1]
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=TIMEOUT_S) as answer:
            text: str = answer.read().decode()
        return text

    def _serve(self) -> None:
        writer = LineWriter(self._write_fd)
        try:
            log = DaemonLog(writer, Log(format=LogFormat.JSON, level=LogLevel.DEBUG), on_terminal=False)
            surroundings = Surroundings(self.cgroupfs.root, self.socket, log, self.manager)
            serve(self._load(), self._load, self._open_backend, surroundings)
        finally:
            writer.close()
            os.close(self._write_fd)

    def _finish(self) -> None:
        while data := os.read(self._read_fd, 65536):
            self._take(data)
        os.close(self._read_fd)

    def _load(self) -> LoadedConfig:
        return load(self.text, self.port, self.host)

    def _open_backend(self, root: Path) -> Chosen:
        assert root == self.cgroupfs.root
        return Chosen(self.backend, "there is no other")

    def _play(
        self, script: Callable[["RunningDaemon"], None], stop: signal.Signals, failures: list[BaseException]
    ) -> None:
        try:
            self.wait_for_line("in force")
            script(self)
        except BaseException as error:  # noqa: BLE001  handed to the test's own thread
            failures.append(error)
        if self.backend.applied and not self.backend.closed:
            os.kill(os.getpid(), stop)

    def _read_more(self) -> None:
        poll = select.poll()
        poll.register(self._read_fd, select.POLLIN)
        if not poll.poll(TIMEOUT_S * 1000):
            raise AssertionError(f"no such line in {self.log}")
        data = os.read(self._read_fd, 65536)
        if not data:
            raise AssertionError(f"the daemon has stopped, and there is no such line in {self.log}")
        self._take(data)

    def _take(self, data: bytes) -> None:
        *lines, self._unread = (self._unread + data).split(b"\n")
        self.log += [json.loads(line) for line in lines]
