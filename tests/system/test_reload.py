# SPDX-License-Identifier: GPL-2.0-or-later
"""Another configuration, put in force while charges go on."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.backends import BPF, MEMORY_RECLAIM
from tests.kernel.cgroups import Cgroup
from tests.system.conftest import StartDaemon
from tests.system.daemon import Daemon
from tests.system.load import limited, writing

#: As in the demo: reclaim from 24 to 22 of 32 MiB, delays from 29 MiB on.
A = """\
policies:
  - name: a
    match: /batch/*
    reclaim: {start: 24MiB, stop: 22MiB}
    back_pressure: {start: 29MiB, max_delay: 100ms}
    on_missing: warn
"""
#: Other numbers, another name, and attached one level further up.
B = """\
policies:
  - name: b
    match: /batch/*
    reclaim: {start: 23MiB, stop: 20MiB}
    back_pressure: {start: 28MiB, max_delay: 200ms}
    on_missing: warn
  - name: above
    match: /batch
    reclaim: {start: 512MiB, stop: 500MiB}
"""
#: Of a cgroup under load, at least so many count something; where charges are not delayed, fewer do.
BUSY_COUNTERS = {BPF: 20, MEMORY_RECLAIM: 10}
BROKEN = A.replace("22MiB", "22M")


@pytest.fixture
def leaves(batch: Cgroup) -> list[Cgroup]:
    """Two cgroups of 32 MiB below /batch."""
    return [limited(batch, name, 32) for name in ("one", "two")]


@pytest.fixture
def daemon(leaves: list[Cgroup], disk: Path, start: StartDaemon) -> Iterator[Daemon]:
    """A daemon with the policies A, and its cgroups under load as long as the test runs."""
    daemon = start(A)
    with ExitStack() as load:
        for leaf in leaves:
            load.enter_context(writing(leaf, disk / leaf.path.name, 512))
        daemon.wait_for("episode", policy="a", cgroup="/batch/one")
        yield daemon


def _max_events(leaves: list[Cgroup]) -> list[int]:
    return [leaf.keyed("memory.events")["max"] for leaf in leaves]


def test_no_charge_is_without_a_rule_and_no_count_is_lost(
    daemon: Daemon, leaves: list[Cgroup], backend_name: str
) -> None:
    counted = daemon.scrape().counted()
    assert sum(value > 0 for value in counted.values()) > len(leaves) * BUSY_COUNTERS[backend_name]
    for number in range(10):
        name, policies = ("b", B) if number % 2 == 0 else ("a", A)
        daemon.reload(policies)
        daemon.wait_for("reloaded", rules=3 if name == "b" else 2)
        metrics = daemon.scrape()
        for leaf in ("/batch/one", "/batch/two"):
            assert metrics.value("reclaimd_passes_total", cgroup=leaf, policy=name) > 0
        now = metrics.counted()
        assert not [key for key, value in counted.items() if now.get(key, 0.0) < value], "no count is lost"
        counted = {key: value for key, value in now.items() if dict(key)["cgroup"] != "/batch"}
        daemon.wait_for("episode", policy=name)
    assert daemon.scrape().value("reclaimd_ungoverned_charges_total") == 0
    if backend_name == BPF:
        assert _max_events(leaves) == [0, 0]


def test_a_broken_file_leaves_the_old_rules_at_work_and_says_why(daemon: Daemon) -> None:
    daemon.reload(BROKEN)
    line = daemon.wait_for("not reloaded: the configuration in force stays")
    assert "policy.yaml:4:35: " in line["error"]
    metrics = daemon.scrape()
    assert metrics.value("reclaimd_config_last_reload_successful") == 0
    assert metrics.value("reclaimd_start_bytes", cgroup="/batch/one", policy="a") == 24 << 20
    daemon.wait_for("episode", policy="a")
    assert daemon.scrape().value("reclaimd_ungoverned_charges_total") == 0
    daemon.reload(B)
    daemon.wait_for("reloaded")
    assert daemon.scrape().value("reclaimd_config_last_reload_successful") == 1
