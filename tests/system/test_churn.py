# SPDX-License-Identifier: GPL-2.0-or-later
"""Cgroups that come and go at a high rate leave nothing behind: no map entry, watch, series or memory."""

import ctypes
import os
import time
from collections import deque
from pathlib import Path

import pytest

from reclaimd.backend.bpf.pins import BPFFS, NAME
from reclaimd.kernel.maps import TypedMap, map_info
from reclaimd.kernel.pin import open_pin
from tests.kernel.cgroups import Cgroup, until
from tests.system.conftest import StartDaemon
from tests.system.daemon import PATIENCE_S, Daemon

PER_S = 200
SECONDS = 30
#: How many there are at a time.
ALIVE = 20
#: The allocators' pools grow by 4 MiB with the first few thousand cgroups, and then no more.
WARM_UP = 4000
#: A leak of 524 bytes for each cgroup would be more than this.
RSS_SLACK_BYTES = 3 << 20

BATCH = """\
policies:
  - name: batch
    match: [/batch/*, /batch/*/inner]
    reclaim: {start: 24MiB, stop: 22MiB}
"""


def _churn(batch: Cgroup, number: int) -> float:
    """Make and remove so many cgroups, PER_S a second; return how long that took."""
    alive: deque[Path] = deque()
    began_s = time.monotonic()
    for each in range(number):
        alive.append(batch.path / f"run-{each}")
        alive[-1].mkdir()
        (alive[-1] / "inner").mkdir()
        if len(alive) > ALIVE:
            _remove(alive.popleft())
        time.sleep(max(0.0, began_s + each / PER_S - time.monotonic()))
    for path in alive:
        _remove(path)
    return time.monotonic() - began_s


def _remove(path: Path) -> None:
    (path / "inner").rmdir()
    path.rmdir()


def _watches(pid: int) -> int:
    fds = Path(f"/proc/{pid}/fdinfo").iterdir()
    return sum(line.startswith("inotify ") for fd in fds for line in fd.read_text().splitlines())


def _fds(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _rss_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _entries() -> dict[str, int]:
    """How many entries each map has that is keyed by cgroup; nothing where there are no maps."""
    found = {}
    for name in ("rules", "states", "carried"):
        for pin in (BPFFS / NAME / "objects").glob(f"*/{name}"):
            fd = open_pin(pin)
            value = ctypes.c_ubyte * map_info(fd).value_size
            found[name] = sum(1 for _ in TypedMap(fd, name, ctypes.c_uint64, value))
            os.close(fd)
    return found


def _wait_for_rest(daemon: Daemon) -> None:
    for _ in until(PATIENCE_S):
        if daemon.scrape().cgroups() == {"/batch/stays"} and _entries().get("states", 1) == 1:
            return


def _links() -> int:
    return len(list((BPFFS / NAME / "links").glob("*")))


@pytest.mark.usefixtures("batch")
def test_cgroups_made_and_removed_200_a_second_for_30_s_leave_nothing_behind(
    batch: Cgroup, start: StartDaemon
) -> None:
    batch.child("stays")
    daemon = start(BATCH)
    _churn(batch, WARM_UP)
    _wait_for_rest(daemon)
    before = (_entries(), _links(), _watches(daemon.pid), _fds(daemon.pid))
    rss_bytes = _rss_bytes(daemon.pid)
    took_s = _churn(batch, PER_S * SECONDS)
    _wait_for_rest(daemon)
    after = (_entries(), _links(), _watches(daemon.pid), _fds(daemon.pid))
    grown_bytes = _rss_bytes(daemon.pid) - rss_bytes
    print(f"{PER_S * SECONDS} cgroups in {took_s:.1f} s, resident memory grew by {grown_bytes} bytes")
    assert after == before
    assert grown_bytes < RSS_SLACK_BYTES
    assert daemon.scrape().value("reclaimd_ungoverned_charges_total") == 0
