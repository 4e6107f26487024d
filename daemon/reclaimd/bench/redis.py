# SPDX-License-Identifier: GPL-2.0-or-later
"""A Redis server that is asked at a steady rate, beside a neighbour that fills the page cache of their parent."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from reclaimd.bench.enter import in_cgroup
from reclaimd.bench.unavailable import UnavailableError
from reclaimd.bench.workloads import Command, Place, Timings, run_program, timings

SERVER, BATCH = "server", "batch"
"""The cgroups below the one that is limited."""
KEYS, VALUE_BYTES = 16_000, 1024
"""Together half of what file pages and they may have."""
REQUESTS_PER_S = 400
START_LIMIT_S = 60.0
POLL_S = 0.02


def serve(place: Place, size_mib: int) -> Timings:
    """Run the server and its client for as long as the neighbour takes for a file of *size_mib*.

    The operations are the requests, and the wall time is the neighbour's.

    Raises:
        UnavailableError: there is no redis-server here.
        CalledProcessError: the client or the neighbour failed.
    """
    (parent,) = place.cgroups
    neighbour: list[str | Path] = [place.programs / "workload", "file", "--size-mib", str(size_mib)]
    neighbour += ["--path", place.disk / "data", "--cgroup", parent / BATCH]
    with tempfile.TemporaryDirectory() as directory:
        socket = Path(directory) / "socket"
        with _server(parent / SERVER, socket), _client(place.programs, socket) as client:
            batch = run_program(neighbour)
            output, _ = client.communicate()
    if client.returncode != 0:
        raise subprocess.CalledProcessError(client.returncode, client.args)
    asked = timings(output)
    return replace(batch, operations=asked.operations, latencies=asked.latencies, neighbour=batch.latencies)


@contextmanager
def _server(cgroup: Path, socket: Path) -> Iterator[None]:
    program = shutil.which("redis-server")
    if program is None:
        raise UnavailableError("there is no redis-server here (Debian: apt-get install redis-server)")
    command: Command = [program, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no"]
    with subprocess.Popen(in_cgroup(cgroup, command), stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for(socket, process)
            yield
        finally:
            process.kill()


def _wait_for(socket: Path, process: "subprocess.Popen[bytes]") -> None:
    deadline_s = time.monotonic() + START_LIMIT_S
    while not socket.exists():
        if process.poll() is not None or time.monotonic() > deadline_s:
            raise UnavailableError("redis-server does not start")
        time.sleep(POLL_S)


@contextmanager
def _client(programs: Path, socket: Path) -> "Iterator[subprocess.Popen[str]]":
    """Start the client and have it fill the server; it asks from then on, until its stdin is closed."""
    numbers = ["--keys", str(KEYS), "--value-bytes", str(VALUE_BYTES), "--rate", str(REQUESTS_PER_S)]
    command: Command = [programs / "redis_client", "--socket", socket, *numbers]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None  # for the type checker: both are pipes
        assert process.stdout is not None
        try:
            if not process.stdout.readline():
                raise subprocess.CalledProcessError(process.wait(), command)
            process.stdin.write("x")
            process.stdin.flush()
            yield process
        finally:
            process.kill()
