# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon follows what happens: cgroups, limits, episodes, failures, signals."""

import signal
import socket
from collections.abc import Sequence
from mmap import PAGESIZE as PAGE_BYTES

import pytest

from reclaimd.backend.base import CgroupGone, StopReason
from reclaimd.config.listen import ListenAddress
from reclaimd.errors import HostError, ReclaimdError
from reclaimd.policy.rule import Rule
from reclaimd.service import lifecycle
from tests.unit.fake_cgroupfs import FakeCgroupfs
from tests.unit.rules import start_pages
from tests.unit.service.memory_backend import episode
from tests.unit.service.running import BATCH, MIB, RunningDaemon, add_parent, appear, set_max

DELAYED = """\
policies:
  - name: delayed
    match: /batch/*
    reclaim: {start: 24MiB, stop: 22MiB}
    back_pressure: {start: 29MiB, max_delay: 40ms}
"""


@pytest.fixture
def batch(cgroupfs: FakeCgroupfs) -> FakeCgroupfs:
    """A tree with /batch, and /batch/a of 32 MiB in it."""
    add_parent(cgroupfs, "/batch")
    cgroupfs.add("/batch/a", max_bytes=32 * MIB)
    return cgroupfs


def paths(daemon: RunningDaemon) -> set[str]:
    """Return the paths of the governed cgroups."""
    return {rule.path for rule in daemon.backend.rules.values()}


def test_cgroups_that_match_are_governed_before_the_daemon_says_so(batch: FakeCgroupfs) -> None:
    batch.add("/other")
    daemon = RunningDaemon(batch)

    def script(daemon: RunningDaemon) -> None:
        assert paths(daemon) == {"/batch/a"}

    daemon.run(script)
    line = daemon.lines("in force")[0]
    assert (line["rules"], line["policies"], line["backend"]) == (1, 1, "memory")


def test_a_matching_cgroup_is_governed_when_it_appears(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        appear(batch, "/batch/b", max_bytes=64 * MIB)
        daemon.backend.wait_for_paths({"/batch/a", "/batch/b"})
        line = daemon.wait_for_line("rules changed", rules=2)
        assert (line["added"], line["removed"]) == (1, 0)

    RunningDaemon(batch).run(script)


def test_a_policy_that_matches_nothing_is_a_warning_and_waits_for_its_cgroup(cgroupfs: FakeCgroupfs) -> None:
    add_parent(cgroupfs, "/batch")

    def script(daemon: RunningDaemon) -> None:
        appear(cgroupfs, "/batch/a", max_bytes=32 * MIB)
        daemon.backend.wait_for_paths({"/batch/a"})

    daemon = RunningDaemon(cgroupfs)
    daemon.run(script)
    warning = daemon.log[1]
    assert warning["level"] == "warning"
    assert warning["event"].startswith("policy.yaml:3:12: warning: policy 'batch': matches no cgroup")


def test_a_cgroup_that_is_removed_loses_its_rule(batch: FakeCgroupfs) -> None:
    batch.add("/batch/b", max_bytes=32 * MIB)

    def script(daemon: RunningDaemon) -> None:
        batch.remove("/batch/b")
        daemon.backend.wait_for_paths({"/batch/a"})
        daemon.wait_for_line("rules changed", rules=1, removed=1)

    RunningDaemon(batch).run(script)


def test_a_cgroup_that_the_kernel_says_has_gone_loses_its_rule(batch: FakeCgroupfs) -> None:
    cgroup_id = batch.add("/batch/b", max_bytes=32 * MIB)

    def script(daemon: RunningDaemon) -> None:
        daemon.backend.event_happens(CgroupGone(cgroup_id))
        batch.remove("/batch/b")
        daemon.backend.wait_for_paths({"/batch/a"})

        daemon.wait_for_line("rules changed", removed=1)

    RunningDaemon(batch).run(script)


def test_each_rule_that_comes_or_goes_is_named_for_who_wants_details(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        appear(batch, "/batch/b", max_bytes=32 * MIB)
        daemon.wait_for_line("rule added", cgroup="/batch/b", policy="batch", level="debug")
        set_max(batch, "/batch/b", 64 * MIB)
        daemon.wait_for_line("rule changed", cgroup="/batch/b")
        batch.remove("/batch/b")
        daemon.wait_for_line("rule removed", cgroup="/batch/b")

    RunningDaemon(batch).run(script)


def test_percentages_follow_a_memory_max_that_is_written(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        set_max(batch, "/batch/a", 64 * MIB)
        daemon.wait_for_line("rules changed", rules=1)
        (rule,) = daemon.backend.rules.values()
        assert start_pages(rule) == 48 * MIB // PAGE_BYTES

    RunningDaemon(batch).run(script)


def test_a_cgroup_without_the_limit_that_its_policy_needs_is_governed_once_it_has_one(
    batch: FakeCgroupfs,
) -> None:
    def script(daemon: RunningDaemon) -> None:
        appear(batch, "/batch/b")
        daemon.backend.wait_for_paths({"/batch/a"})
        set_max(batch, "/batch/b", 32 * MIB)
        daemon.backend.wait_for_paths({"/batch/a", "/batch/b"})

    RunningDaemon(batch).run(script)


def test_a_policy_that_cannot_be_carried_out_for_a_cgroup_is_said_with_its_place(
    batch: FakeCgroupfs,
) -> None:
    batch.add("/batch/unlimited")
    daemon = RunningDaemon(batch)
    daemon.run(lambda _: None)
    error = daemon.log[1]
    assert error["level"] == "error"
    assert error["event"].startswith("policy.yaml:4:")
    assert "/batch/unlimited" in error["event"]


def test_a_problem_that_stays_is_said_once(batch: FakeCgroupfs) -> None:
    batch.add("/batch/unlimited")

    def script(daemon: RunningDaemon) -> None:
        appear(batch, "/batch/b", max_bytes=32 * MIB)
        daemon.backend.wait_for_paths({"/batch/a", "/batch/b"})

    daemon = RunningDaemon(batch)
    daemon.run(script)
    about_it = [record for record in daemon.log if "cgroup /batch/unlimited:" in record["event"]]
    assert len(about_it) == 1


def test_an_episode_is_one_line_with_its_numbers(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        (cgroup_id,) = daemon.backend.rules
        daemon.backend.event_happens(episode(cgroup_id, StopReason.NO_PROGRESS, number=7))
        line = daemon.wait_for_line("episode")
        del line["timestamp"]
        assert line == {
            "event": "episode",
            "level": "info",
            "cgroup": "/batch/a",
            "policy": "batch",
            "episode": 7,
            "started_for": "usage",
            "start_value": 6144,
            "reason": "no_progress",
            "stop_value": 5632,
            "passes": 3,
            "pages_asked": 1024,
            "pages_reclaimed": 512,
            "reclaimed_mib": 512 * PAGE_BYTES / MIB,
            "duration_ms": 10.0,
            "reclaim_ms": 8.0,
            "reclaim_cpu_ms": 7.0,
            "usage_before_mib": 6144 * PAGE_BYTES / MIB,
            "usage_after_mib": 5632 * PAGE_BYTES / MIB,
        }

    RunningDaemon(batch).run(script)


def test_an_episode_that_ends_after_its_cgroup_has_gone_still_has_its_name(batch: FakeCgroupfs) -> None:
    cgroup_id = batch.add("/batch/b", max_bytes=32 * MIB)

    def script(daemon: RunningDaemon) -> None:
        batch.remove("/batch/b")
        daemon.backend.wait_for_paths({"/batch/a"})
        daemon.backend.event_happens(episode(cgroup_id, StopReason.GONE))
        assert daemon.wait_for_line("episode")["cgroup"] == "/batch/b"

    RunningDaemon(batch).run(script)


def test_rules_that_the_kernel_refuses_leave_the_old_ones_and_are_said(batch: FakeCgroupfs) -> None:
    def refuse(_rules: Sequence[Rule]) -> None:
        raise HostError("no room for more rules")

    def script(daemon: RunningDaemon) -> None:
        daemon.backend.before_apply = refuse
        appear(batch, "/batch/b", max_bytes=32 * MIB)
        line = daemon.wait_for_line("the rules in force stay as they are")
        assert line["error"] == "no room for more rules"
        assert paths(daemon) == {"/batch/a"}
        daemon.backend.before_apply = lambda _rules: None
        appear(batch, "/batch/c", max_bytes=32 * MIB)
        daemon.backend.wait_for_paths({"/batch/a", "/batch/b", "/batch/c"})

    RunningDaemon(batch).run(script)


def test_what_the_kernel_has_refused_is_tried_again(
    batch: FakeCgroupfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lifecycle, "RETRY_S", 0.05)
    refused: list[Sequence[Rule]] = []

    def refuse_once(rules: Sequence[Rule]) -> None:
        if not refused:
            refused.append(rules)
            raise HostError("not now")

    def script(daemon: RunningDaemon) -> None:
        daemon.backend.before_apply = refuse_once
        appear(batch, "/batch/b", max_bytes=32 * MIB)
        daemon.wait_for_line("the rules in force stay as they are")
        daemon.backend.wait_for_paths({"/batch/a", "/batch/b"})
        daemon.wait_for_line("rules changed", rules=2)

    RunningDaemon(batch).run(script)


def test_a_cgroup_that_vanishes_before_it_can_be_attached_to_does_not_keep_the_daemon_from_starting(
    batch: FakeCgroupfs,
) -> None:
    batch.add("/batch/b", max_bytes=32 * MIB)
    daemon = RunningDaemon(batch)

    def vanish(rules: Sequence[Rule]) -> None:
        if any(rule.path == "/batch/b" for rule in rules):
            batch.remove("/batch/b")
            raise HostError("/batch/b: no such cgroup")

    daemon.backend.before_apply = vanish
    daemon.run(lambda daemon: daemon.backend.wait_for_paths({"/batch/a"}))


def test_a_kernel_that_refuses_the_first_rules_ends_the_daemon_and_takes_nothing_away(
    batch: FakeCgroupfs,
) -> None:
    daemon = RunningDaemon(batch)

    def refuse(_rules: Sequence[Rule]) -> None:
        raise HostError("no room for rules")

    daemon.backend.before_apply = refuse
    with pytest.raises(HostError, match="no room for rules"):
        daemon.fail_to_start()
    assert not daemon.backend.detached
    assert daemon.backend.closed


def test_delays_need_a_limit_to_grow_up_to(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        (rule,) = daemon.backend.rules.values()
        assert rule.back_pressure is not None
        assert rule.back_pressure.full_pages * PAGE_BYTES == 32 * MIB

    RunningDaemon(batch, DELAYED).run(script)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_detaches_everything_and_ends_the_daemon(batch: FakeCgroupfs, stop: signal.Signals) -> None:
    daemon = RunningDaemon(batch)
    daemon.run(lambda _: None, stop)
    assert daemon.backend.detached
    assert daemon.backend.closed
    assert daemon.lines("stopping")[0]["signal"] == stop.name
    assert daemon.log[-1]["event"] == "stopped"


def test_a_stop_leaves_the_rules_in_force_if_the_configuration_says_so(batch: FakeCgroupfs) -> None:
    daemon = RunningDaemon(batch, BATCH + "keep_on_stop: true\n")
    daemon.run(lambda _: None)
    assert not daemon.backend.detached
    assert daemon.backend.closed


def test_the_port_of_the_metrics_is_free_again_after_the_stop(batch: FakeCgroupfs) -> None:
    daemon = RunningDaemon(batch)
    daemon.run(lambda _: None)
    host, _, port = daemon.lines("in force")[0]["metrics"].rpartition(":")
    with socket.create_server((host, int(port))):
        pass


def test_a_port_in_use_is_one_clear_line_and_nothing_is_attached(batch: FakeCgroupfs) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        daemon = RunningDaemon(batch, port=port)
        with pytest.raises(ReclaimdError) as caught:
            daemon.fail_to_start()
    assert str(ListenAddress("127.0.0.1", port)) in str(caught.value)
    assert "in use" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert daemon.backend.applied == []
    assert daemon.backend.closed


def test_nothing_is_applied_when_nothing_has_changed(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        # A write that changes nothing, then one that does: events come in order.
        set_max(batch, "/batch/a", 32 * MIB)
        set_max(batch, "/batch/a", 64 * MIB)
        daemon.wait_for_line("rules changed")

    daemon = RunningDaemon(batch)
    daemon.run(script)
    assert len(daemon.backend.applied) == 2
