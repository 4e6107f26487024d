# SPDX-License-Identifier: GPL-2.0-or-later
"""A daemon that is told to end leaves nothing in the kernel; the fixture nothing_left_behind looks."""

import signal
from pathlib import Path

import pytest

from reclaimd.kernel.ids import link_ids, map_ids, program_ids
from tests.kernel.cgroups import Cgroup
from tests.system.conftest import StartDaemon
from tests.system.load import limited, writing

pytestmark = pytest.mark.bpf_only("links, maps and programs")

BATCH = """\
policies:
  - name: batch
    match: /batch/*
    reclaim: {start: 24MiB, stop: 22MiB}
"""


@pytest.fixture
def leaf(batch: Cgroup) -> Cgroup:
    """The cgroup /batch/a of 32 MiB."""
    return limited(batch, "a", 32)


@pytest.mark.usefixtures("leaf")
def test_while_it_runs_its_link_is_there(start: StartDaemon) -> None:
    # Shows that looking for ids sees what the other tests here miss.
    before = link_ids(), map_ids(), program_ids()
    start(BATCH)
    after = link_ids(), map_ids(), program_ids()
    assert len(after[0] - before[0]) == 1
    assert after[1] > before[1]
    assert after[2] > before[2]


@pytest.mark.usefixtures("leaf")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_status_0(start: StartDaemon, number: signal.Signals) -> None:
    daemon = start(BATCH)
    assert daemon.stop(number) == 0
    assert daemon.lines("stopping", signal=number.name)
    assert daemon.log[-1]["event"] == "stopped"


@pytest.mark.usefixtures("leaf")
def test_its_links_are_gone_when_the_process_is(start: StartDaemon) -> None:
    before = link_ids()
    daemon = start(BATCH)
    daemon.stop()
    assert link_ids() <= before


def test_a_signal_ends_it_under_load(leaf: Cgroup, disk: Path, start: StartDaemon) -> None:
    daemon = start(BATCH)
    with writing(leaf, disk / "data", 512):
        daemon.wait_for("episode")
        assert daemon.stop() == 0
