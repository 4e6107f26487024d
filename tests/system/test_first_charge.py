# SPDX-License-Identifier: GPL-2.0-or-later
"""What is made below a governed cgroup is governed from its first charge: the kernel waits for nobody."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reclaimd.kernel.layout import CountersValue
from tests.kernel.cgroups import Cgroup, Charger, until
from tests.system.conftest import StartDaemon
from tests.system.daemon import Daemon
from tests.system.entries import state_of
from tests.system.rules import MIB_PAGES

pytestmark = pytest.mark.bpf_only("rules that hold from the first charge")

POLICY = """\
policies:
  - name: slice
    match: /batch
    reclaim: {start: 8MiB, stop: 4MiB}
"""
#: Each charge is answered with a delay, which is counted: two pages are always in use.
EACH_CHARGE = """\
policies:
  - name: slice
    match: /batch
    mode: monitor
    reclaim: {start: 8KiB}
    back_pressure: {start: 8KiB, max_delay: 1ms}
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


def _counters(cgroup: Cgroup) -> CountersValue:
    state = state_of(cgroup.cgroup_id)
    assert state
    counters: CountersValue = state.counters
    return counters


@pytest.mark.usefixtures("small_pages")
def test_a_new_cgroup_is_governed_from_its_first_charge_while_the_daemon_is_stopped(
    batch: Cgroup, start: StartDaemon
) -> None:
    daemon = start(POLICY)
    assert _counters(batch).triggers == 0
    with stopped(daemon):
        child = batch.child("child")
        with Charger(child) as charger:
            charger.anon(9 * MIB_PAGES)
        assert _counters(batch).triggers > 0, "the kernel has begun an episode by itself"
    daemon.wait_for("episode", cgroup="/batch", policy="slice")


def test_the_first_charge_there_ever_was_meets_the_rule_while_the_daemon_is_stopped(
    batch: Cgroup, start: StartDaemon
) -> None:
    batch.write("memory.max", str(64 << 20))
    with Charger(batch.child("old")) as old:
        old.anon(MIB_PAGES)
        daemon = start(EACH_CHARGE)
        with stopped(daemon):
            child = batch.child("child")
            before = _counters(batch).delays
            assert child.usage_pages == 0, "nothing has been charged yet"
            with Charger(child) as charger:
                charger.anon(1)
            assert _counters(batch).delays > before
