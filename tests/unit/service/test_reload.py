# SPDX-License-Identifier: GPL-2.0-or-later
"""SIGHUP puts another configuration in force, or changes nothing and says why."""

import socket
from collections.abc import Sequence

import pytest

from reclaimd.errors import HostError
from reclaimd.policy.rule import Rule
from tests.unit.fake_cgroupfs import FakeCgroupfs
from tests.unit.service.running import BATCH, MIB, RunningDaemon, add_parent, appear

EARLIER = BATCH.replace("75%", "60%")
BROKEN = BATCH.replace("75%", "75")
FAILED = "not reloaded: the configuration in force stays"
SUCCESSFUL = "reclaimd_config_last_reload_successful"
LOADED_AT = "reclaimd_config_last_reload_success_timestamp_seconds"


@pytest.fixture
def batch(cgroupfs: FakeCgroupfs) -> FakeCgroupfs:
    """A tree with /batch, and /batch/a of 32 MiB in it."""
    add_parent(cgroupfs, "/batch")
    cgroupfs.add("/batch/a", max_bytes=32 * MIB)
    return cgroupfs


def value(text: str, name: str) -> float:
    """Return the one sample of a metric without labels."""
    (line,) = (line for line in text.splitlines() if line.startswith(f"{name} "))
    return float(line.split()[1])


def starts(daemon: RunningDaemon) -> dict[str, int]:
    """Return the usage in MiB at which each governed cgroup's reclaim starts."""
    text = daemon.scrape()
    lines = [line for line in text.splitlines() if line.startswith("reclaimd_start_bytes{")]
    return {line.split('"')[1]: round(float(line.split()[-1]) / MIB) for line in lines}


def test_a_reload_puts_other_rules_in_force(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        assert starts(daemon) == {"/batch/a": 24}
        daemon.reload(EARLIER)
        assert daemon.wait_for_line("reloaded")["rules"] == 1
        daemon.wait_for_line("rules changed", changed=1, added=0, removed=0)
        assert starts(daemon) == {"/batch/a": 19}

    RunningDaemon(batch).run(script)


def test_a_reload_keeps_the_counters(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        (cgroup_id,) = daemon.backend.rules
        daemon.backend.counts_happen(cgroup_id, passes=5)
        daemon.reload(EARLIER)
        daemon.wait_for_line("reloaded")
        assert 'reclaimd_passes_total{cgroup="/batch/a",policy="batch"} 5' in daemon.scrape()

    RunningDaemon(batch).run(script)


def test_cgroups_that_come_after_a_reload_get_the_new_rules(batch: FakeCgroupfs) -> None:
    add_parent(batch, "/other")

    def script(daemon: RunningDaemon) -> None:
        daemon.reload(EARLIER.replace("/batch/*", "/other/*"))
        daemon.wait_for_line("reloaded", rules=0)
        appear(batch, "/batch/b", max_bytes=32 * MIB)
        appear(batch, "/other/b", max_bytes=32 * MIB)
        daemon.backend.wait_for_paths({"/other/b"})
        assert starts(daemon) == {"/other/b": 19}

    RunningDaemon(batch).run(script)


def test_a_mistake_in_the_file_leaves_the_old_rules_and_is_said_with_its_place(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        daemon.reload(BROKEN)
        line = daemon.wait_for_line(FAILED)
        assert line["level"] == "error"
        assert line["error"].startswith("policy.yaml:4:22: ")
        assert starts(daemon) == {"/batch/a": 24}
        appear(batch, "/batch/b", max_bytes=64 * MIB)
        daemon.backend.wait_for_paths({"/batch/a", "/batch/b"})

    daemon = RunningDaemon(batch)
    daemon.run(script)
    assert daemon.lines("reloaded") == []


def test_each_mistake_is_a_line(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        daemon.reload(BROKEN.replace("50%", "50"))
        daemon.wait_for_line(FAILED)
        daemon.wait_for_line(FAILED)

    RunningDaemon(batch).run(script)


def test_rules_that_the_kernel_refuses_are_a_failed_reload(batch: FakeCgroupfs) -> None:
    def refuse(_rules: Sequence[Rule]) -> None:
        raise HostError("no room for more rules")

    def script(daemon: RunningDaemon) -> None:
        daemon.backend.before_apply = refuse
        daemon.reload(EARLIER)
        assert daemon.wait_for_line(FAILED)["error"] == "no room for more rules"
        daemon.backend.before_apply = lambda _rules: None
        assert starts(daemon) == {"/batch/a": 24}
        appear(batch, "/batch/b", max_bytes=32 * MIB)
        daemon.backend.wait_for_paths({"/batch/a", "/batch/b"})
        assert starts(daemon) == {"/batch/a": 24, "/batch/b": 24}

    RunningDaemon(batch).run(script)


def test_metrics_say_whether_the_last_reload_succeeded_and_when_the_last_good_one_was(
    batch: FakeCgroupfs,
) -> None:
    def script(daemon: RunningDaemon) -> None:
        first = daemon.scrape()
        assert value(first, SUCCESSFUL) == 1
        daemon.reload(BROKEN)
        daemon.wait_for_line(FAILED)
        second = daemon.scrape()
        assert value(second, SUCCESSFUL) == 0
        assert value(second, LOADED_AT) == value(first, LOADED_AT)
        daemon.reload(EARLIER)
        daemon.wait_for_line("reloaded")
        third = daemon.scrape()
        assert value(third, SUCCESSFUL) == 1
        assert value(third, LOADED_AT) > value(first, LOADED_AT)

    RunningDaemon(batch).run(script)


def test_metrics_move_to_another_address(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            daemon.port = probe.getsockname()[1]
        before = daemon.lines("in force")[0]["metrics"].rpartition(":")
        daemon.reload(BATCH)
        assert daemon.wait_for_line("reloaded")["metrics"] == f"127.0.0.1:{daemon.port}"
        assert starts(daemon) == {"/batch/a": 24}
        with socket.create_server((before[0], int(before[2]))):
            pass

    RunningDaemon(batch).run(script)


def test_metrics_move_between_loopback_and_all_addresses_on_one_port(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        daemon.port = int(daemon.lines("in force")[0]["metrics"].rpartition(":")[2])
        for daemon.host in ("0.0.0.0", "127.0.0.1"):  # noqa: S104
            daemon.reload(BATCH)
            assert daemon.wait_for_line("reloaded")["metrics"] == f"{daemon.host}:{daemon.port}"
            assert starts(daemon) == {"/batch/a": 24}
        with pytest.raises(OSError, match="in use"), socket.create_server(("127.0.0.1", daemon.port)):
            pass

    RunningDaemon(batch).run(script)


def test_an_address_in_use_is_a_failed_reload(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            daemon.port = taken.getsockname()[1]
            daemon.reload(EARLIER)
            assert "in use" in daemon.wait_for_line(FAILED)["error"]
        assert starts(daemon) == {"/batch/a": 24}

    RunningDaemon(batch).run(script)


def test_what_is_logged_follows_the_configuration(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        daemon.reload(EARLIER + "log: {level: error}\n")
        daemon.backend.wait_for_applied(2)
        appear(batch, "/batch/b", max_bytes=32 * MIB)
        daemon.backend.wait_for_paths({"/batch/a", "/batch/b"})
        daemon.reload(BROKEN)
        daemon.wait_for_line(FAILED)

    daemon = RunningDaemon(batch)
    daemon.run(script)
    assert daemon.lines("rules changed") == []
