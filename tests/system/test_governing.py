# SPDX-License-Identifier: GPL-2.0-or-later
"""Real charges in real cgroups under the real daemon."""

import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.backends import BPF
from tests.kernel.cgroups import Cgroup, Charger, until
from tests.system.conftest import StartDaemon
from tests.system.daemon import PATIENCE_S, Daemon
from tests.system.entries import state_of
from tests.system.load import MIB, fault_in, limited, path_of, write_and_read, writing
from tests.system.rules import MIB_PAGES

#: As in the demo: reclaim from 24 to 22 of 32 MiB, delays from 29 MiB on.
BATCH = """\
policies:
  - name: batch
    match: /batch/*
    reclaim: {start: 24MiB, stop: 22MiB}
    back_pressure: {start: 29MiB, max_delay: 100ms}
    on_missing: warn
"""

PERCENT = """\
policies:
  - name: batch
    match: /batch/*
    reclaim: {start: 75%, stop: 50%}
"""

NESTED = """\
policies:
  - name: slice
    match: /batch
    reclaim: {start: 30MiB, stop: 28MiB}
  - name: leaf
    match: /batch/*
    reclaim: {start: 24MiB, stop: 22MiB}
"""

#: While one works another waits.
SHARED = """\
policies:
  - name: high
    match: /batch/high
    protect:
      as: low
      while: {pgfaults: 100/s}
      throttle: [{match: /batch/low, delay: 50ms}]
"""

#: Reclaim has a hundredth of a CPU.
FRUGAL = """\
policies:
  - name: frugal
    match: /batch/frugal
    reclaim: {start: 8MiB, stop: 1MiB, pass: 128KiB, cpu: 1%}
"""


@pytest.mark.bpf_only("reclaim that begins with the charge")
def test_a_governed_cgroup_never_hits_its_limit(batch: Cgroup, disk: Path, start: StartDaemon) -> None:
    leaf = limited(batch, "a", 32)
    start(BATCH)
    write_and_read(leaf, disk / "data", 64)
    assert leaf.keyed("memory.events")["max"] == 0


def test_each_episode_is_a_line_and_is_counted(batch: Cgroup, disk: Path, start: StartDaemon) -> None:
    leaf = limited(batch, "a", 32)
    daemon = start(BATCH)
    write_and_read(leaf, disk / "data", 64)
    line = daemon.wait_for("episode", cgroup="/batch/a", reason="usage")
    assert line["policy"] == "batch"
    assert line["usage_before_mib"] >= 24
    assert line["usage_after_mib"] <= 22
    assert line["pages_reclaimed"] > 0
    assert line["passes"] > 0
    assert line["duration_ms"] > 0

    metrics = daemon.scrape()
    daemon.stop()
    lines = daemon.lines("episode", cgroup="/batch/a")
    assert metrics.value("reclaimd_episodes_total", cgroup="/batch/a", reason="usage") > 0
    assert metrics.value("reclaimd_triggers_total", cgroup="/batch/a") <= len(lines) + 1
    assert metrics.value("reclaimd_passes_total", cgroup="/batch/a") <= sum(line["passes"] for line in lines)
    assert metrics.value("reclaimd_dropped_events_total") == 0


def test_what_is_reclaimed_is_counted_in_bytes_and_seconds(
    batch: Cgroup, disk: Path, start: StartDaemon
) -> None:
    leaf = limited(batch, "a", 32)
    daemon = start(BATCH)
    write_and_read(leaf, disk / "data", 64)
    metrics = daemon.scrape()
    # 64 MiB went through a cgroup that was held to 24: most of it was reclaimed.
    assert metrics.value("reclaimd_reclaimed_bytes_total", cgroup="/batch/a") > 32 * MIB
    assert metrics.value("reclaimd_asked_bytes_total", cgroup="/batch/a") > 32 * MIB
    assert 0 < metrics.value("reclaimd_reclaim_seconds_total", cgroup="/batch/a") < 60
    assert 0 < metrics.value("reclaimd_usage_bytes", cgroup="/batch/a") <= 32 * MIB
    assert metrics.value("reclaimd_start_bytes", cgroup="/batch/a") == 24 * MIB
    assert metrics.value("reclaimd_stop_bytes", cgroup="/batch/a") == 22 * MIB


def test_nested_rules_all_hold(batch: Cgroup, disk: Path, start: StartDaemon, backend_name: str) -> None:
    leaves = [limited(batch, name, 64) for name in ("a", "b")]
    daemon = start(NESTED)
    # Either is held to 24 MiB by its own rule, both together to 30 by the slice's.
    for leaf in leaves:
        write_and_read(leaf, disk / leaf.path.name, 32)
        for _ in until():
            if leaf.usage_pages < 24 * MIB_PAGES and batch.usage_pages < 30 * MIB_PAGES:
                break
    metrics = daemon.scrape()
    # The slice's alone would have left it more.
    assert metrics.value("reclaimd_triggers_total", cgroup="/batch/a", policy="leaf") > 0
    if backend_name == BPF:
        # With the other, between two looks, the slice's can have brought it down already.
        assert metrics.value("reclaimd_triggers_total", cgroup="/batch/b", policy="leaf") > 0
    assert metrics.value("reclaimd_triggers_total", cgroup="/batch", policy="slice") > 0
    daemon.wait_for("episode", cgroup="/batch", policy="slice")


def test_many_cgroups_are_governed_at_once(batch: Cgroup, disk: Path, start: StartDaemon) -> None:
    leaves = [limited(batch, f"n{number}", 32) for number in range(6)]
    daemon = start(BATCH)
    waiting = {path_of(leaf) for leaf in leaves}
    with ExitStack() as stack:
        for leaf in leaves:
            stack.enter_context(writing(leaf, disk / leaf.path.name, 40))
        while waiting:
            waiting.discard(daemon.wait_for("episode")["cgroup"])
    assert daemon.scrape().value("reclaimd_rules") == len(leaves)


def _problems(daemon: Daemon, text: str) -> list[str]:
    """Return the level of each problem so far that the text is about."""
    return [line["level"] for line in daemon.log if text in line["event"]]


def test_a_cgroup_that_appears_is_governed(batch: Cgroup, disk: Path, start: StartDaemon) -> None:
    daemon = start(BATCH)
    assert _problems(daemon, "matches no cgroup") == ["warning"]
    leaf = limited(batch, "late", 32)
    daemon.wait_for("rules changed", rules=1, added=1)
    write_and_read(leaf, disk / "data", 40)
    daemon.wait_for("episode", cgroup="/batch/late")


def test_a_percentage_follows_memory_max(batch: Cgroup, start: StartDaemon) -> None:
    leaf = limited(batch, "a", 32)
    daemon = start(PERCENT)
    assert daemon.scrape().value("reclaimd_start_bytes", cgroup="/batch/a") == 24 * MIB
    leaf.write("memory.max", str(64 * MIB))
    daemon.wait_for("rules changed")
    assert daemon.scrape().value("reclaimd_start_bytes", cgroup="/batch/a") == 48 * MIB


def test_a_cgroup_that_gets_its_limit_late_is_governed_then(batch: Cgroup, start: StartDaemon) -> None:
    leaf = limited(batch, "a", 32)
    leaf.write("memory.max", "max")
    daemon = start(PERCENT)
    assert _problems(daemon, "has no memory.max") == ["error"]
    leaf.write("memory.max", str(32 * MIB))
    daemon.wait_for("rules changed", rules=1)
    assert daemon.scrape().cgroups() == {"/batch/a"}


def test_a_cgroup_that_gets_the_memory_controller_late_is_governed_then(
    batch: Cgroup, start: StartDaemon
) -> None:
    batch.disable_memory()
    (batch.path / "a").mkdir()
    daemon = start(BATCH.partition("    back_pressure")[0])
    batch.enable_memory()
    daemon.wait_for("rules changed", rules=1)
    assert daemon.scrape().cgroups() == {"/batch/a"}


def test_a_cgroup_removed_under_load_loses_its_rule_and_harms_nobody(
    batch: Cgroup, disk: Path, start: StartDaemon
) -> None:
    leaf, other = limited(batch, "a", 32), limited(batch, "b", 32)
    daemon = start(BATCH)
    with writing(leaf, disk / "data", 512):
        daemon.wait_for("episode", cgroup="/batch/a")
        leaf.remove()
    daemon.wait_for("rules changed", rules=1)
    assert daemon.scrape().cgroups() == {"/batch/b"}
    write_and_read(other, disk / "other", 40)
    daemon.wait_for("episode", cgroup="/batch/b")


def test_a_name_that_is_used_again_is_governed_again(batch: Cgroup, disk: Path, start: StartDaemon) -> None:
    leaf = limited(batch, "a", 32)
    daemon = start(BATCH)
    for _ in range(3):
        leaf.remove()
        daemon.wait_for("rules changed", rules=0)
        leaf = limited(batch, "a", 32)
        daemon.wait_for("rules changed", rules=1)
    write_and_read(leaf, disk / "data", 40)
    daemon.wait_for("episode", cgroup="/batch/a")


@pytest.mark.bpf_only("delays of charges")
@pytest.mark.usefixtures("small_pages")
def test_back_pressure_delays_are_counted(batch: Cgroup, start: StartDaemon) -> None:
    leaf = limited(batch, "a", 32)
    daemon = start(BATCH)
    # Without swap nothing of this can be reclaimed: usage stays above where delays start.
    fault_in(leaf, 30)
    metrics = daemon.scrape()
    assert metrics.value("reclaimd_delays_total", cgroup="/batch/a") > 0
    assert metrics.value("reclaimd_delay_seconds_total", cgroup="/batch/a") > 0


@pytest.mark.bpf_only("protection and delays of charges")
@pytest.mark.usefixtures("small_pages")
def test_protection_has_others_wait_as_the_policy_says(batch: Cgroup, start: StartDaemon) -> None:
    high, low = batch.child("high"), batch.child("low")
    daemon = start(SHARED)
    fault_in(low, 2)
    assert daemon.scrape().value("reclaimd_throttles_total", cgroup="/batch/low") == 0
    with Charger(high) as charger:
        charger.anon(4 * MIB_PAGES)
        daemon.wait_for("protected", cgroup="/batch/high", policy="high", started_for="pgfaults")
        fault_in(low, 2)
    metrics = daemon.scrape()
    assert metrics.value("reclaimd_protections_total", cgroup="/batch/high") >= 1
    throttles = metrics.value("reclaimd_throttles_total", cgroup="/batch/low")
    assert throttles > 0
    assert metrics.value("reclaimd_throttle_seconds_total", cgroup="/batch/low") == pytest.approx(
        throttles * 0.05
    )
    assert metrics.value("reclaimd_throttles_total", cgroup="/batch/high") == 0


def test_what_reclaim_costs_is_exported_and_held_to_the_budget(
    batch: Cgroup, disk: Path, start: StartDaemon, backend_name: str
) -> None:
    frugal = batch.child("frugal")
    daemon = start(FRUGAL)
    with writing(frugal, disk / "data", 512):
        metrics = daemon.scrape()
        for _ in until():
            metrics = daemon.scrape()
            if metrics.value("reclaimd_held_back_total", cgroup="/batch/frugal") >= 2:
                break
    cpu_s = metrics.value("reclaimd_reclaim_cpu_seconds_total", cgroup="/batch/frugal")
    assert cpu_s > 0
    if backend_name == BPF:
        counters = state_of(frugal.cgroup_id)
        assert counters
        assert cpu_s <= counters.counters.reclaim_cpu_ns / 1e9
    assert cpu_s <= metrics.value("reclaimd_reclaim_seconds_total", cgroup="/batch/frugal") * 1.1


@pytest.mark.usefixtures("huge_pages")
def test_huge_pages_trigger_too(batch: Cgroup, start: StartDaemon) -> None:
    leaf = limited(batch, "a", 32)
    daemon = start(BATCH)
    with Charger(leaf) as charger:
        charger.huge(13)
        assert leaf.keyed("memory.stat")["thp_fault_alloc"] > 0
        for _ in until(PATIENCE_S):
            if daemon.scrape().value("reclaimd_triggers_total", cgroup="/batch/a"):
                break


@pytest.mark.usefixtures("small_pages")
def test_reclaim_that_brings_nothing_gives_up_and_says_so(batch: Cgroup, start: StartDaemon) -> None:
    leaf = limited(batch, "a", 32)
    daemon = start(PERCENT)
    with Charger(leaf) as charger:
        charger.anon(28 * MIB_PAGES)
        line = daemon.wait_for("episode", cgroup="/batch/a", reason="no_progress")
    assert line["usage_after_mib"] > 16
    assert daemon.scrape().value("reclaimd_give_ups_total", cgroup="/batch/a") > 0


def test_an_idle_cgroup_is_left_alone(batch: Cgroup, start: StartDaemon) -> None:
    leaf = limited(batch, "a", 32)
    daemon = start(BATCH)
    fault_in(leaf, 16)
    assert daemon.scrape().value("reclaimd_triggers_total", cgroup="/batch/a") == 0
    assert leaf.keyed("memory.stat")["pgscan"] == 0
    assert daemon.stop(signal.SIGTERM) == 0
    assert daemon.lines("episode") == []
