# SPDX-License-Identifier: GPL-2.0-or-later
"""What the backend cannot do, or may not, is refused or said, and never passed over."""

import signal

import pytest

from reclaimd.backend.base import Ability
from reclaimd.config.problem import InvalidConfigError
from tests.unit.fake_cgroupfs import FakeCgroupfs
from tests.unit.service.running import BATCH, MIB, RunningDaemon, add_parent, appear

DELAYED = BATCH + "    back_pressure: {start: 90%, max_delay: 40ms}\n"
WARNED = DELAYED + "    on_missing: warn\n"
NOT_RELOADED = "not reloaded: the configuration in force stays"


@pytest.fixture
def batch(cgroupfs: FakeCgroupfs) -> FakeCgroupfs:
    """A tree with /batch, and /batch/a of 32 MiB in it."""
    add_parent(cgroupfs, "/batch")
    cgroupfs.add("/batch/a", max_bytes=32 * MIB)
    return cgroupfs


def without_back_pressure(cgroupfs: FakeCgroupfs, text: str) -> RunningDaemon:
    """A daemon whose backend can do everything else."""
    daemon = RunningDaemon(cgroupfs, text)
    daemon.backend.abilities = frozenset(Ability) - {Ability.BACK_PRESSURE}
    return daemon


def test_the_backend_is_told_with_the_reason(batch: FakeCgroupfs) -> None:
    daemon = RunningDaemon(batch)
    daemon.run(lambda _: None)
    (line,) = daemon.lines("backend chosen")
    assert (line["backend"], line["why"]) == ("memory", "there is no other")


def test_a_policy_that_lacks_something_keeps_the_daemon_from_starting(batch: FakeCgroupfs) -> None:
    daemon = without_back_pressure(batch, DELAYED)
    with pytest.raises(InvalidConfigError, match=r"policy.yaml:5:20: policy 'batch': back_pressure needs"):
        daemon.fail_to_start()
    assert daemon.backend.applied == []
    assert daemon.backend.closed


def test_a_reload_that_lacks_something_changes_nothing(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        daemon.reload(DELAYED.replace("75%", "60%"))
        assert "back_pressure needs" in daemon.wait_for_line(NOT_RELOADED)["error"]
        daemon.reload(BATCH)
        daemon.wait_for_line("reloaded")

    daemon = without_back_pressure(batch, BATCH)
    daemon.run(script)
    assert len({tuple(rules) for rules in daemon.backend.applied}) == 1


def test_a_policy_that_warns_is_carried_out_without_what_is_lacking(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        (rule,) = daemon.backend.rules.values()
        assert rule.reclaim
        assert rule.back_pressure is None
        appear(batch, "/batch/b", max_bytes=32 * MIB)
        daemon.backend.wait_for_paths({"/batch/a", "/batch/b"})

    daemon = without_back_pressure(batch, WARNED)
    daemon.run(script)
    (warning,) = [line for line in daemon.log if "it does without" in line["event"]]
    assert warning["level"] == "warning"


def test_a_backend_that_can_do_everything_leaves_nothing_out(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        (rule,) = daemon.backend.rules.values()
        assert rule.back_pressure

    RunningDaemon(batch, WARNED).run(script)


def test_keeping_rules_that_nobody_carries_out_is_said(batch: FakeCgroupfs) -> None:
    daemon = RunningDaemon(batch, BATCH + "keep_on_stop: true\n")
    daemon.backend.abilities = frozenset(Ability) - {Ability.KEEP_ON_STOP}
    daemon.run(lambda _: None)
    (warning,) = [line for line in daemon.log if "keep_on_stop has no effect" in line["event"]]
    assert warning["level"] == "warning"


def test_another_backend_takes_a_restart(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        daemon.reload(BATCH.replace("75%", "60%") + "backend: bpf\n")
        line = daemon.wait_for_line(NOT_RELOADED)
        assert line["error"] == (
            "policy.yaml:5:10: backend is bpf, and was auto when the daemon was started;"
            " restart the daemon to change it"
        )

    RunningDaemon(batch).run(script)


def test_what_may_not_be_governed_is_said_once_and_counted(batch: FakeCgroupfs) -> None:
    batch.add("/batch/foreign", max_bytes=32 * MIB)

    def script(daemon: RunningDaemon) -> None:
        assert 'reclaimd_policy_forbidden_cgroups{policy="batch"} 1' in daemon.scrape()
        appear(batch, "/batch/b", max_bytes=32 * MIB)
        daemon.backend.wait_for_paths({"/batch/a", "/batch/b"})
        daemon.reload(BATCH)
        daemon.wait_for_line("reloaded")

    daemon = RunningDaemon(batch)
    daemon.backend.forbidden = {"/batch/foreign"}
    daemon.run(script)
    (line,) = daemon.lines("not permitted")
    assert (line["cgroup"], line["policy"], line["level"]) == ("/batch/foreign", "batch", "warning")


def test_what_has_become_permitted_is_governed(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        daemon.backend.forbidden = set()
        appear(batch, "/batch/b", max_bytes=32 * MIB)
        daemon.backend.wait_for_paths({"/batch/a", "/batch/b"})
        assert 'reclaimd_policy_forbidden_cgroups{policy="batch"} 0' in daemon.scrape()

    daemon = RunningDaemon(batch)
    daemon.backend.forbidden = {"/batch/a"}
    daemon.run(script, signal.SIGTERM)


def test_what_each_policy_lacks_is_a_metric(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        text = daemon.scrape()
        assert 'reclaimd_policy_lacks{ability="back_pressure",policy="batch"} 1' in text
        assert 'reclaimd_policy_lacks{ability="first_charge",policy="batch"} 0' in text

    without_back_pressure(batch, WARNED).run(script)
