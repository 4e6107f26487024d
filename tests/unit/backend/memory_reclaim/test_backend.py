# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole backend, with its threads, on cgroups made of ordinary files."""

import gc
import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from reclaimd.backend.base import (
    Ability,
    CgroupGone,
    EpisodeEnded,
    Event,
    RefusedError,
    StartReason,
    StopReason,
)
from reclaimd.backend.memory_reclaim.backend import MemoryReclaimBackend
from reclaimd.backend.memory_reclaim.swap import Swap
from reclaimd.config.metric import Metric
from reclaimd.config.models import Mode
from reclaimd.errors import HostError
from reclaimd.policy.rule import SWAPPINESS_ANON_ONLY, Condition, Reclaim, Rule
from tests.unit.backend.memory_reclaim.kernel import FakeKernel
from tests.unit.backend.memory_reclaim.rules import FAULTS, S, after, between, rule
from tests.unit.fake_cgroupfs import FakeCgroupfs
from tests.unit.rules import all_of, usage

PATIENCE_S = 20.0
START, STOP = 1000, 500
LONG_MS = 3_600_000
FAR = between(1 << 40, 1 << 39)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc whose machine has swap."""
    directory = tmp_path / "proc"
    directory.mkdir()
    (directory / "meminfo").write_text("MemTotal: 100 kB\nSwapFree:  400000 kB\n")
    return directory


@pytest.fixture
def backend(cgroupfs: FakeCgroupfs, tmp_path: Path, proc: Path) -> Iterator[MemoryReclaimBackend]:
    root = str(cgroupfs.root)
    swap = Swap(root, proc, tmp_path)
    with closing(MemoryReclaimBackend(root, {}, frozenset({Ability.SWAPPINESS}), swap)) as backend:
        yield backend


def _rule(
    cgroup_id: int, reclaim: Reclaim | None = None, path: str = "/a", mode: Mode = Mode.ENFORCE
) -> Rule:
    return rule(reclaim or between(START, STOP), cgroup_id=cgroup_id, path=path, mode=mode)


def _events(backend: MemoryReclaimBackend, number: int = 1) -> list[Event]:
    """Wait for so many events as the service does."""
    poller = select.poll()
    for fd in backend.pollables():
        poller.register(fd, select.POLLIN)
    events: list[Event] = []
    while len(events) < number:
        assert poller.poll(PATIENCE_S * 1000), f"nothing after {events}"
        events += backend.events()
    return events


def _ended(backend: MemoryReclaimBackend) -> EpisodeEnded:
    (event,) = _events(backend)
    assert isinstance(event, EpisodeEnded)
    return event


def _until(condition: Callable[[], object]) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.001)


def test_an_episode_brings_usage_down_to_stop(backend: MemoryReclaimBackend, kernel: FakeKernel) -> None:
    cgroup_id = kernel.add("/a", 10)
    backend.apply([_rule(cgroup_id)])
    kernel.charge("/a", START)
    event = _ended(backend)
    assert (event.started_for, event.reason) == (StartReason.USAGE, StopReason.USAGE)
    assert event.usage_ended_pages == kernel.usage_pages("/a") <= STOP
    assert event.pages_reclaimed == START - event.usage_ended_pages
    assert backend.stats()[cgroup_id].ended_for == {StopReason.USAGE: 1}


def test_what_is_above_start_already_is_reclaimed(backend: MemoryReclaimBackend, kernel: FakeKernel) -> None:
    backend.apply([_rule(kernel.add("/a", 5000))])
    assert _ended(backend).usage_started_pages == 5000


def test_an_event_has_a_cgroup_looked_at_at_once(backend: MemoryReclaimBackend, kernel: FakeKernel) -> None:
    cgroup_id = kernel.add("/a", 10)
    often = Condition(Metric.EVENTS_MAX, 5, 60_000)
    backend.apply([_rule(cgroup_id, Reclaim(all_of(often), all_of(after(1)), cooldown_ms=LONG_MS))])
    _until(lambda: backend.stats()[cgroup_id].ticks)
    kernel.happen("/a", "max", 100)
    event = _ended(backend)
    assert (event.started_for, event.start_value) == (StartReason.EVENTS_MAX, 97)


def test_faults_start_an_episode(backend: MemoryReclaimBackend, kernel: FakeKernel) -> None:
    cgroup_id = kernel.add("/a", 10)
    backend.apply([_rule(cgroup_id, Reclaim(all_of(FAULTS), all_of(after(1)), cooldown_ms=LONG_MS))])
    _until(lambda: backend.stats()[cgroup_id].ticks)
    kernel.stat("/a", pgfault=100_000)
    assert _ended(backend).started_for is StartReason.PGFAULTS


def test_writes_are_bounded(backend: MemoryReclaimBackend, kernel: FakeKernel) -> None:
    backend.apply([_rule(kernel.add("/a", 10_000))])
    event = _ended(backend)
    assert len(kernel.writes) == event.passes > 4
    assert max(int(text) for text in kernel.writes) <= 32 << 20


def test_less_than_was_asked_for_is_counted_as_it_is(
    backend: MemoryReclaimBackend, kernel: FakeKernel
) -> None:
    kernel.kept_pages = 900
    backend.apply([_rule(kernel.add("/a", 1010))])
    event = _ended(backend)
    assert event.reason is StopReason.NO_PROGRESS
    assert event.pages_reclaimed == 110


def test_a_swappiness_is_passed_on(backend: MemoryReclaimBackend, kernel: FakeKernel) -> None:
    backend.apply([_rule(kernel.add("/a", 1010), replace(between(START, STOP), swappiness=60))])
    _ended(backend)
    assert all(text.endswith(" swappiness=60") for text in kernel.writes)


def test_without_room_to_swap_to_anonymous_memory_is_left_alone(
    backend: MemoryReclaimBackend, kernel: FakeKernel, proc: Path
) -> None:
    (proc / "meminfo").write_text("SwapFree: 0 kB\n")
    cgroup_id = kernel.add("/a", 1010)
    backend.apply([_rule(cgroup_id)])
    event = _ended(backend)
    assert all(text.endswith(" swappiness=0") for text in kernel.writes)
    assert backend.stats()[cgroup_id].swapless == event.passes


def test_nothing_is_written_for_anonymous_memory_alone_that_has_nowhere_to_go(
    backend: MemoryReclaimBackend, kernel: FakeKernel, proc: Path
) -> None:
    (proc / "meminfo").write_text("SwapFree: 0 kB\n")
    backend.apply(
        [_rule(kernel.add("/a", 1010), replace(between(START, STOP), swappiness=SWAPPINESS_ANON_ONLY))]
    )
    event = _ended(backend)
    assert (event.reason, event.passes) == (StopReason.NO_PROGRESS, 4)
    assert not kernel.writes


def test_a_monitored_cgroup_is_only_watched(backend: MemoryReclaimBackend, kernel: FakeKernel) -> None:
    backend.apply([_rule(kernel.add("/a", 5000), mode=Mode.MONITOR)])
    assert _ended(backend).reason is StopReason.MONITORED
    assert not kernel.writes


def test_a_request_is_carried_out(backend: MemoryReclaimBackend, kernel: FakeKernel) -> None:
    cgroup_id = kernel.add("/a", 5000)
    backend.apply([_rule(cgroup_id, FAR)])
    backend.reclaim(cgroup_id, 700)
    event = _ended(backend)
    assert (event.reason, event.pages_reclaimed) == (StopReason.RECLAIMED, 700)


def test_a_request_is_refused_in_the_words_of_the_other_backend(
    backend: MemoryReclaimBackend, kernel: FakeKernel
) -> None:
    cgroup_id = kernel.add("/a", 5000)
    other_id = kernel.add("/b", 5000)
    with pytest.raises(RefusedError, match="no rule"):
        backend.reclaim(cgroup_id, 700)
    backend.apply([_rule(cgroup_id, replace(FAR, rate_pages_per_s=1)), rule(cgroup_id=other_id, path="/b")])
    backend.reclaim(cgroup_id, 700)
    with pytest.raises(RefusedError, match="under way"):
        backend.reclaim(cgroup_id, 700)
    with pytest.raises(RefusedError, match="does not reclaim"):
        backend.reclaim(other_id, 700)


def test_a_rule_that_is_removed_ends_its_episode(backend: MemoryReclaimBackend, kernel: FakeKernel) -> None:
    cgroup_id = kernel.add("/a", 5000)
    backend.apply([_rule(cgroup_id, replace(between(START, STOP), rate_pages_per_s=64))])
    _until(lambda: backend.stats()[cgroup_id].held_back)
    backend.apply([])
    assert _ended(backend).reason is StopReason.RULE_REMOVED
    assert not backend.stats()


def test_an_episode_that_waits_goes_on_under_another_rule(
    backend: MemoryReclaimBackend, kernel: FakeKernel
) -> None:
    cgroup_id = kernel.add("/a", 5000)
    slowly = replace(between(START, STOP), rate_pages_per_s=64)
    backend.apply([_rule(cgroup_id, slowly)])
    _until(lambda: backend.stats()[cgroup_id].held_back)
    backend.apply([_rule(cgroup_id)])
    assert _ended(backend).reason is StopReason.USAGE
    assert backend.stats()[cgroup_id].triggers == 1


def test_a_cgroup_that_goes_in_mid_episode_is_told_of(
    backend: MemoryReclaimBackend, kernel: FakeKernel, cgroupfs: FakeCgroupfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    cgroup_id = kernel.add("/a", 5000)
    kernel.may_go_on.clear()
    backend.apply([_rule(cgroup_id)])
    assert kernel.entered.wait(PATIENCE_S)
    cgroupfs.remove("/a")
    kernel.may_go_on.set()
    _die(monkeypatch)
    ended, gone = _events(backend, 2)
    assert isinstance(ended, EpisodeEnded)
    assert ended.reason is StopReason.GONE
    assert gone == CgroupGone(cgroup_id)
    assert not backend.stats()


def test_a_cgroup_that_goes_is_told_of(
    backend: MemoryReclaimBackend, kernel: FakeKernel, cgroupfs: FakeCgroupfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    cgroup_id = kernel.add("/a", 10)
    backend.apply([_rule(cgroup_id)])
    cgroupfs.remove("/a")
    _die(monkeypatch)
    assert _events(backend) == [CgroupGone(cgroup_id)]


def _die(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have files that are open end in ENODEV, as those of removed cgroups do."""

    def pread(_fd: int, _length: int, _offset: int) -> bytes:
        raise OSError(19, "No such device")

    monkeypatch.setattr(os, "pread", pread)


def test_another_cgroup_at_the_same_path_is_left_alone(
    backend: MemoryReclaimBackend, kernel: FakeKernel
) -> None:
    cgroup_id = kernel.add("/a", 5000)
    backend.apply([_rule(cgroup_id + 12345)])
    assert not backend.stats()


def test_vanished_cgroups_are_left_out(backend: MemoryReclaimBackend, kernel: FakeKernel) -> None:
    cgroup_id = kernel.add("/a", 10)
    backend.apply([_rule(99, path="/gone"), _rule(cgroup_id)])
    assert set(backend.stats()) == {cgroup_id}


def test_what_may_not_be_written_to_is_left_out_and_said(
    backend: MemoryReclaimBackend, kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    cgroup_id, other_id = kernel.add("/a", 10), kernel.add("/b", 10)
    inode = (kernel.directory("/a") / "memory.reclaim").stat().st_ino

    def access(path: str, _mode: int, *, effective_ids: bool = False) -> bool:
        return Path(path).stat().st_ino != inode or not effective_ids

    opened = os.open

    def open_but(path: str, flags: int, *arguments: int, dir_fd: int | None = None) -> int:
        if flags & os.O_WRONLY and os.stat(path, dir_fd=dir_fd).st_ino == inode:
            raise PermissionError(13, "Permission denied")
        return opened(path, flags, *arguments, dir_fd=dir_fd)

    monkeypatch.setattr(os, "access", access)
    monkeypatch.setattr(os, "open", open_but)
    assert not backend.may_govern("/a")
    assert backend.may_govern("/b")
    backend.apply([_rule(cgroup_id), _rule(other_id, path="/b")])
    assert set(backend.stats()) == {other_id}


def test_what_has_no_such_file_is_no_matter_of_rights(backend: MemoryReclaimBackend) -> None:
    assert backend.may_govern("/gone")


def test_a_limit_that_is_reached_leaves_the_rules_in_force(
    backend: MemoryReclaimBackend, kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    cgroup_id, other_id = kernel.add("/a", 10), kernel.add("/b", 10)
    backend.apply([_rule(cgroup_id)])

    def add(_self: object, _path: bytes, _mask: int) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("reclaimd.cgroup.inotify.Inotify.add", add)
    with pytest.raises(HostError, match="max_user_watches"):
        backend.apply([_rule(cgroup_id, between(5, 4)), _rule(other_id, path="/b")])
    assert set(backend.stats()) == {cgroup_id}
    kernel.charge("/a", START - 1)
    time.sleep(0.05)
    assert not backend.stats()[cgroup_id].triggers


def test_accounts_come_with_the_counters(backend: MemoryReclaimBackend, kernel: FakeKernel) -> None:
    cgroup_id = kernel.add("/a", 10)
    backend.apply([_rule(cgroup_id)])
    reading = backend.stats()[cgroup_id].reading
    assert reading
    assert reading.events == (1, 2, 3, 4, 5)
    assert reading.stalled_us == (1_500_000, 250_000)


def test_what_is_read_for_counters_is_looked_at(backend: MemoryReclaimBackend, kernel: FakeKernel) -> None:
    cgroup_id = kernel.add("/a", 10)
    backend.apply([_rule(cgroup_id)])
    kernel.charge("/a", START)
    assert backend.stats()[cgroup_id].triggers == 1


def test_a_rule_that_does_not_reclaim_does_nothing(backend: MemoryReclaimBackend, kernel: FakeKernel) -> None:
    cgroup_id = kernel.add("/a", 10**6)
    backend.apply([rule(cgroup_id=cgroup_id)])
    assert not backend.stats()[cgroup_id].triggers


def test_one_cgroup_has_one_pass_at_a_time_and_others_theirs(
    backend: MemoryReclaimBackend, kernel: FakeKernel
) -> None:
    ids = {path: kernel.add(path, 5000) for path in ("/a", "/b", "/c")}
    backend.apply([_rule(cgroup_id, path=path) for path, cgroup_id in ids.items()])
    events = _events(backend, 3)
    assert {event.cgroup_id for event in events} == set(ids.values())


def test_what_ends_a_thread_is_told_to_the_service(
    backend: MemoryReclaimBackend, kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(_fd: int, _data: bytes) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr("reclaimd.backend.memory_reclaim.files.write", write)
    backend.apply([_rule(kernel.add("/a", 5000))])
    with pytest.raises(ZeroDivisionError):
        _events(backend)


def _open_files() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_nothing_is_left_when_it_is_closed(
    cgroupfs: FakeCgroupfs, kernel: FakeKernel, tmp_path: Path, proc: Path
) -> None:
    gc.collect()
    threads, files = set(threading.enumerate()), _open_files()
    root = str(cgroupfs.root)
    backend = MemoryReclaimBackend(root, {}, frozenset(), Swap(root, proc, tmp_path))
    cgroup_id = kernel.add("/a", 5000)
    backend.apply([_rule(cgroup_id, replace(between(START, STOP), rate_pages_per_s=64))])
    _until(lambda: backend.stats()[cgroup_id].held_back)
    backend.detach()
    backend.close()
    assert set(threading.enumerate()) == threads
    assert not backend.stats()
    assert not backend.pollables()
    assert _open_files() == files


def test_counters_go_on_under_another_rule(backend: MemoryReclaimBackend, kernel: FakeKernel) -> None:
    cgroup_id = kernel.add("/a", 5000)
    backend.apply([_rule(cgroup_id)])
    _ended(backend)
    backend.apply([_rule(cgroup_id, Reclaim(all_of(usage(300)), all_of(usage(100))))])
    _ended(backend)
    assert backend.stats()[cgroup_id].episodes == 2
    assert backend.stats()[cgroup_id].durations.sum_ns < 60 * S


def test_a_rule_that_comes_back_is_carried_out_again(
    backend: MemoryReclaimBackend, kernel: FakeKernel
) -> None:
    cgroup_id = kernel.add("/a", 10)
    for _ in range(20):
        backend.apply([_rule(cgroup_id)])
        backend.apply([])
    backend.apply([_rule(cgroup_id)])
    kernel.charge("/a", START)
    assert _ended(backend).reason is StopReason.USAGE
