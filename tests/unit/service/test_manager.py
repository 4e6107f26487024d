# SPDX-License-Identifier: GPL-2.0-or-later
"""What the service manager is told, and when."""

import os
import select
import signal
import sys
import threading
import time

import pytest

from reclaimd.errors import HostError
from reclaimd.service import manager
from reclaimd.service.manager import ServiceManager
from tests.unit.fake_cgroupfs import FakeCgroupfs
from tests.unit.service.running import BATCH, MIB, RunningDaemon, add_parent, appear

BROKEN = BATCH.replace("75%", "75")


@pytest.fixture
def batch(cgroupfs: FakeCgroupfs) -> FakeCgroupfs:
    """A tree with /batch, and /batch/a of 32 MiB in it."""
    add_parent(cgroupfs, "/batch")
    cgroupfs.add("/batch/a", max_bytes=32 * MIB)
    return cgroupfs


def test_ready_comes_when_the_rules_are_in_force_and_stopping_at_the_end(batch: FakeCgroupfs) -> None:
    daemon = RunningDaemon(batch)
    told: list[tuple[str, int]] = []
    daemon.manager = ServiceManager(lambda message: told.append((message, len(daemon.backend.applied))))
    daemon.run(lambda _: None)
    status = "STATUS=Policies: 1, cgroups with a rule: 1, episodes: 0"
    assert told[0] == (f"READY=1\n{status}", 1)
    assert told[-1] == ("STOPPING=1", 1)


def test_a_reload_is_announced_with_its_time_and_ends_in_ready(batch: FakeCgroupfs) -> None:
    daemon = RunningDaemon(batch)
    told: list[str] = []
    daemon.manager = ServiceManager(told.append)
    before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000

    def script(daemon: RunningDaemon) -> None:
        daemon.reload(BATCH.replace("75%", "60%"))
        daemon.wait_for_line("reloaded")

    daemon.run(script)
    _, reloading, ready, *_ = told
    first, _, second = reloading.partition("\nMONOTONIC_USEC=")
    assert first == "RELOADING=1"
    assert before_us < int(second) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert ready.startswith("READY=1\nSTATUS=")


def test_a_failed_reload_ends_in_ready_too_and_its_status_says_why(batch: FakeCgroupfs) -> None:
    daemon = RunningDaemon(batch)
    told: list[str] = []
    daemon.manager = ServiceManager(told.append)

    def script(daemon: RunningDaemon) -> None:
        daemon.reload(BROKEN)
        daemon.wait_for_line("not reloaded: the configuration in force stays")

    daemon.run(script)
    assert told[2].startswith("READY=1\n")
    assert "not reloaded: policy.yaml:4:22: " in told[2]


def test_the_status_follows_the_rules(batch: FakeCgroupfs) -> None:
    daemon = RunningDaemon(batch)
    told = threading.Event()

    def notify(message: str) -> None:
        if message == "STATUS=Policies: 1, cgroups with a rule: 2, episodes: 0":
            told.set()

    daemon.manager = ServiceManager(notify)

    def script(_daemon: RunningDaemon) -> None:
        # Soon after READY=1: it waits for its time, and nothing else wakes the loop.
        appear(batch, "/batch/b", max_bytes=32 * MIB)
        assert told.wait(10)

    daemon.run(script)


def test_a_status_that_changes_all_the_time_is_told_now_and_then() -> None:
    told: list[str] = []
    one = ServiceManager(told.append)
    for number in range(100):
        one.status(f"episodes: {number}")
    assert told == ["STATUS=episodes: 0"]
    wait_s = one.wait_s()
    assert wait_s is not None
    assert 0 < wait_s <= manager.STATUS_EVERY_S


def test_the_loop_gives_signs_of_life_while_nothing_happens(batch: FakeCgroupfs) -> None:
    daemon = RunningDaemon(batch)
    read_fd, write_fd = os.pipe()

    def notify(message: str) -> None:
        if message == "WATCHDOG=1":
            os.write(write_fd, b"w")

    daemon.manager = ServiceManager(notify, watchdog_s=0.02)

    def script(_daemon: RunningDaemon) -> None:
        for _ in range(3):
            poll = select.poll()
            poll.register(read_fd, select.POLLIN)
            assert poll.poll(10_000)
            os.read(read_fd, 1)

    daemon.run(script)


def test_a_loop_that_hangs_gives_no_sign_of_life(batch: FakeCgroupfs) -> None:
    daemon = RunningDaemon(batch)
    told: list[str] = []
    daemon.manager = ServiceManager(told.append, watchdog_s=0.02)
    number_told: list[int] = []

    def hang(_rules: object) -> None:
        number_told.append(len(told))
        time.sleep(0.5)
        number_told.append(len(told))

    def script(daemon: RunningDaemon) -> None:
        daemon.backend.before_apply = hang
        appear(batch, "/batch/b", max_bytes=32 * MIB)
        daemon.wait_for_line("rules changed")

    daemon.run(script, signal.SIGTERM)
    assert number_told[0] == number_told[1]


def test_signs_of_life_come_twice_in_the_time_allowed() -> None:
    told: list[str] = []
    manager = ServiceManager(told.append, watchdog_s=3600)
    manager.keep_alive()
    assert told == []
    wait_s = manager.wait_s()
    assert wait_s is not None
    assert 1700 < wait_s <= 1800


def test_without_a_watchdog_the_loop_need_not_wake() -> None:
    assert ServiceManager(print).wait_s() is None
    assert ServiceManager(None, watchdog_s=1).wait_s() is None


def test_without_a_service_manager_nobody_is_told() -> None:
    manager = ServiceManager.of_environment({})
    manager.ready("")
    manager.keep_alive()
    assert manager.wait_s() is None


def test_a_manager_that_cannot_be_told_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "systemd", None)
    with pytest.raises(HostError, match="install python3-systemd"):
        ServiceManager.of_environment({"NOTIFY_SOCKET": "/run/systemd/notify"})
