# SPDX-License-Identifier: GPL-2.0-or-later
"""`reclaimd run` as a child process: its log, its metrics, its end."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from prometheus_client.parser import text_string_to_metric_families

#: For what takes a moment on an idle machine; under emulation and load it can take a hundred times as long.
PATIENCE_S = 120.0
READ_BYTES = 1 << 16

COMMAND = (sys.executable, "-m", "reclaimd")

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit status and what it wrote."""

    status: int
    out: str
    lines: list[str]


def run_reclaimd(
    *arguments: str, prefix: Sequence[str] = (), environment: dict[str, str] | None = None
) -> Ended:
    """Run the command to its end; `lines` are those on standard error.

    Args:
        *arguments: the command line.
        prefix: a program to start it with.
        environment: variables to set.
    """
    ended = subprocess.run(
        [*prefix, *COMMAND, *arguments],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr.splitlines())


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


class Metrics:
    """One scrape."""

    def __init__(self, text: str) -> None:
        self._samples = [
            sample for family in text_string_to_metric_families(text) for sample in family.samples
        ]

    def value(self, name: str, **labels: str) -> float:
        """Return the sample with this name and these labels, others aside; 0 if there is none."""
        return sum(
            sample.value
            for sample in self._samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def counted(self) -> dict[frozenset[tuple[str, str]], float]:
        """Return all that is counted of cgroups, histograms included, by name and labels, the policy's aside."""
        counted: dict[frozenset[tuple[str, str]], float] = {}
        for sample in self._samples:
            if "cgroup" in sample.labels and sample.name.endswith(("_total", "_bucket", "_sum", "_count")):
                labels = {name: value for name, value in sample.labels.items() if name != "policy"}
                key = frozenset({"__name__": sample.name, **labels}.items())
                counted[key] = counted.get(key, 0.0) + sample.value
        return counted

    def cgroups(self) -> set[str]:
        """Return the cgroups that there are samples of."""
        return {sample.labels["cgroup"] for sample in self._samples if "cgroup" in sample.labels}


class Daemon:
    """A running daemon; a context manager that stops it.

    Args:
        config: where its configuration is written.
        policies: what is in it, besides what it needs to run beside others.
        backend: the one that carries them out.
        prefix: a program to start it with.
    """

    def __init__(
        self, config: Path, policies: str, backend: str = "auto", prefix: Sequence[str] = ()
    ) -> None:
        self._config = config
        self._backend = backend
        self.address = f"127.0.0.1:{free_port()}"
        self._write(policies)
        #: Where it is controlled.
        self.socket = config.with_name("io.reclaimd")
        self._unread = b""
        self._at = 0
        self.log: list[Record] = []
        self._process = subprocess.Popen(
            [*prefix, *COMMAND, "run", "--config", config, "--socket", self.socket], stderr=subprocess.PIPE
        )

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def wait_for(self, event: str, **fields: object) -> Record:
        """Return the first line about an event with these fields, after those returned so far."""
        while True:
            for at in range(self._at, len(self.log)):
                record = self.log[at]
                if record["event"] == event and fields.items() <= record.items():
                    self._at = at + 1
                    return record
            assert self._read(), f"the daemon ended with {self._process.wait()}, having said {self.log}"

    def lines(self, event: str, **fields: object) -> list[Record]:
        """Return all lines so far about an event."""
        return [line for line in self.log if line["event"] == event and fields.items() <= line.items()]

    def scrape(self) -> Metrics:
        """Return the metrics of now."""
        return Metrics(self.text())

    def text(self) -> str:
        """Return the metrics of now as they come."""
        with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=PATIENCE_S) as answer:
            text: str = answer.read().decode()
        return text

    def reload(self, policies: str) -> None:
        """Have it load other policies."""
        self._write(policies)
        self._process.send_signal(signal.SIGHUP)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, read the log to its end, and return the exit status, negative for a signal's."""
        self._process.send_signal(number)
        while self._read():
            pass
        return self._process.wait(PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.terminate()
        self._process.communicate(timeout=PATIENCE_S)

    def _write(self, policies: str) -> None:
        metrics = f"{{listen: '{self.address}'}}"
        self._config.write_text(f"{policies}backend: {self._backend}\nmetrics: {metrics}\n")

    def _read(self) -> bool:
        assert self._process.stderr
        fd = self._process.stderr.fileno()
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        assert poll.poll(PATIENCE_S * 1000), f"the daemon says no more; it said {self.log}"
        data = os.read(fd, READ_BYTES)
        *lines, self._unread = (self._unread + data).split(b"\n")
        self.log += [json.loads(line) for line in lines]
        return bool(data)
