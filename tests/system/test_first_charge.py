# SPDX-License-Identifier: GPL-2.0-or-later
"""What is made below a governed cgroup is governed from its first charge: the kernel waits for nobody."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kernel.cgroups import Cgroup, Charger, until
from tests.system.conftest import StartDaemon
from tests.system.daemon import Daemon
from tests.system.entries import state_of
from tests.system.rules import MIB_PAGES

POLICY = """\
policies:
  - name: slice
    match: /batch
    reclaim: {start: 8MiB, stop: 4MiB}
"""


@contextmanager
def stopped(daemon: Daemon) -> Iterator[None]:
    """Keep the daemon from running, and make sure that it did not."""
    os.kill(daemon.pid, signal.SIGSTOP)
    for _ in until():
        if _stat(daemon)[0] == "T":
            break
    before = _stat(daemon)
    try:
        yield
        assert _stat(daemon) == before, "it is still stopped, and has used no CPU time"
    finally:
        os.kill(daemon.pid, signal.SIGCONT)


def _stat(daemon: Daemon) -> tuple[str, str, str]:
    """Return the process's state, its utime and its stime, of all its threads (proc_pid_stat(5))."""
    fields = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
    return fields[0], fields[11], fields[12]


def _triggers(cgroup: Cgroup) -> int:
    state = state_of(cgroup.cgroup_id)
    assert state
    triggers: int = state.counters.triggers
    return triggers


@pytest.mark.usefixtures("small_pages")
def test_a_new_cgroup_is_governed_from_its_first_charge_while_the_daemon_is_stopped(
    batch: Cgroup, start: StartDaemon
) -> None:
    daemon = start(POLICY)
    assert _triggers(batch) == 0
    with stopped(daemon):
        child = batch.child("child")
        with Charger(child) as charger:
            charger.anon(9 * MIB_PAGES)
        assert _triggers(batch) > 0, "the kernel has begun an episode by itself"
    daemon.wait_for("episode", cgroup="/batch", policy="slice")
