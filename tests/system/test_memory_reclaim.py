# SPDX-License-Identifier: GPL-2.0-or-later
"""The backend memory.reclaim where nothing else is to be had: what it achieves, costs, and leaves behind."""

import math
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest

from reclaimd.backend.base import Backend, StopReason
from reclaimd.backend.memory_reclaim.still import STILL_NS
from reclaimd.config.metric import Metric
from reclaimd.config.models import MAX_SWAPPINESS
from reclaimd.policy.rule import Condition, Reclaim
from tests.kernel.cgroups import Cgroup, Charger, until
from tests.system.conftest import StartDaemon
from tests.system.ended import wait_for_ended
from tests.system.load import MIB, limited, write_and_read, writing
from tests.system.rules import FAR_MIB, LONGEST_PASS_NS, MIB_PAGES, all_of, between, rule, usage

pytestmark = pytest.mark.stock_only

RUNS = 3
NS_PER_S = 1_000_000_000
WATCHED_S = 30.0
#: CPU time in 2 s: more is left of the start.
STARTED_S = 0.1
#: After which a cgroup is looked at least often.
IDLE_S = 3.0
#: Of one CPU, whatever their number.
CPU_SHARE = 0.01
SLOWEST_RMDIR_S = 0.25
REMOVALS = 10
SWAP = "/dev/zram0"
#: More than there is.
SWAP_MIB = 600
BUDGET_S = 15.0

GOVERNED = """\
policies:
  - name: batch
    match: /batch/governed-*
    reclaim: {start: 24MiB, stop: 22MiB}
"""

#: So slowly that an episode outlasts what it began for.
PRESSED = """\
policies:
  - name: pressed
    match: /batch/leaf
    reclaim:
      start: {psi: {some: 1%, window: 2s}}
      stop: {refaults: 10/s}
      rate: 256KiB/s
"""

IDLE = """\
policies:
  - name: idle
    match: /batch/*
    reclaim: {start: 75%, stop: 50%}
"""


def _max_events(cgroup: Cgroup, disk: Path) -> int:
    """Send a 64 MiB file through a cgroup of 32 MiB."""
    file = disk / cgroup.path.name
    write_and_read(cgroup, file, 64)
    file.unlink()
    return cgroup.keyed("memory.events")["max"]


def test_a_file_twice_the_limit_hits_it_a_quarter_as_often_at_most(
    batch: Cgroup, disk: Path, start: StartDaemon, record_property: Callable[..., None]
) -> None:
    batch.child("governed-first")
    start(GOVERNED)
    counted: dict[str, list[int]] = {"free": [], "governed": []}
    for number in range(RUNS):
        for kind, events in counted.items():
            leaf = limited(batch, f"{kind}-{number}", 32)
            # It is to be governed before it is charged.
            time.sleep(1)
            events.append(_max_events(leaf, disk))
    print(f"max events: {counted}")
    for kind, events in counted.items():
        record_property(kind, events)
    assert median(counted["free"]) > 0
    assert median(counted["governed"]) <= median(counted["free"]) / 4


def test_an_episode_begins_for_pressure_and_ends_when_nothing_is_needed_again(
    batch: Cgroup, disk: Path, start: StartDaemon
) -> None:
    leaf = batch.child("leaf")
    leaf.write("memory.swap.max", "0")
    busy, kept = leaf.child("busy"), leaf.child("kept")
    busy.write("memory.high", str(8 * MIB))
    daemon = start(PRESSED)
    with Charger(kept) as charger:
        # Something to reclaim after the load, too.
        charger.file(disk / "kept", 16 * MIB_PAGES)
        with writing(busy, disk / "data", 32):
            for _ in until():
                if daemon.scrape().value("reclaimd_triggers_total", cgroup="/batch/leaf", reason="psi_some"):
                    break
        line = daemon.wait_for("episode", cgroup="/batch/leaf")
    assert line["started_for"] == "psi_some"
    assert line["reason"] == "refaults"


def _cpu_s(pid: int) -> float:
    """Return the CPU time that all threads of a process have had."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / NS_PER_S


@pytest.fixture(params=[100, 1000])
def idle(request: pytest.FixtureRequest, batch: Cgroup) -> Iterator[int]:
    """So many cgroups with a limit and nothing in them."""
    number: int = request.param
    for each in range(number):
        Cgroup.make(batch.path / str(each)).write("memory.max", str(128 * MIB))
    yield number
    for each in range(number):
        (batch.path / str(each)).rmdir()


def test_idle_cgroups_cost_next_to_nothing(
    idle: int, start: StartDaemon, record_property: Callable[..., None]
) -> None:
    daemon = start(IDLE)
    # What the start itself has to do is over, and each cgroup has been found to be idle.
    for _ in until():
        before_s = _cpu_s(daemon.pid)
        time.sleep(2)
        if _cpu_s(daemon.pid) - before_s < STARTED_S:
            break
    before_s = _cpu_s(daemon.pid)
    time.sleep(WATCHED_S)
    share = (_cpu_s(daemon.pid) - before_s) / WATCHED_S
    record_property("share", share)
    print(f"{idle} idle cgroups: {share:.2%} of one CPU")
    assert share <= CPU_SHARE


def test_a_cgroup_that_was_idle_is_looked_at_once_it_is_charged(
    batch: Cgroup, disk: Path, start: StartDaemon
) -> None:
    leaf = limited(batch, "leaf", 64)
    daemon = start(IDLE)
    time.sleep(IDLE_S)
    with Charger(leaf) as charger:
        charger.file(disk / "data", 56 * MIB_PAGES)
        charged_s = time.monotonic()
        line = daemon.wait_for("episode", cgroup="/batch/leaf")
        # Not only when it would have been looked at anyway.
        assert time.monotonic() - charged_s < STILL_NS / NS_PER_S / 2
    assert (line["started_for"], line["reason"]) == ("usage", "usage")


def _settings(cgroup: Cgroup) -> dict[str, str]:
    names = ("min", "low", "high", "max", "swap.max", "swap.high", "oom.group")
    return {name: cgroup.read(f"memory.{name}") for name in names}


def _files() -> set[Path]:
    # What was written over the root, and what else is no part of it.
    roots = (Path("/run/upper"), Path("/run/reclaimd"), Path("/tmp"), Path("/dev/shm"), Path("/sys/fs/bpf"))  # noqa: S108
    return {path for root in roots for path in root.rglob("*") if path.suffix != ".pyc"}


def test_a_kill_leaves_nothing_but_the_socket(batch: Cgroup, disk: Path, start: StartDaemon) -> None:
    leaf = limited(batch, "governed-leaf", 32)
    before = _settings(leaf)
    daemon = start(GOVERNED)
    files = _files()
    with writing(leaf, disk / "data", 64):
        daemon.wait_for("episode")
        assert daemon.stop(signal.SIGKILL) == -signal.SIGKILL
        assert not _open_below(batch, but_by=os.getpid())
    assert _files() == files
    assert _settings(leaf) == before
    leaf.wait_empty()
    leaf.path.rmdir()
    assert start(GOVERNED).stop() == 0


def _open_below(cgroup: Cgroup, but_by: int) -> list[str]:
    """Return what anybody has open of the files of a cgroup and what is below it."""
    found = []
    for fd in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = str(fd.readlink())
        except OSError:
            continue  # it was closed meanwhile
        if target.startswith(str(cgroup.path)) and fd.parts[2] != str(but_by):
            found.append(f"{fd} {target}")
    return found


def test_removing_a_cgroup_in_mid_episode_waits_for_a_write_that_is_cut_short(
    backend: Backend, batch: Cgroup, disk: Path, record_property: Callable[..., None]
) -> None:
    in_large_passes = replace(between(FAR_MIB, 1), pass_pages=16 * MIB_PAGES)
    waited_s = []
    for number in range(REMOVALS):
        leaf = batch.child(f"leaf{number}")
        with Charger(leaf) as charger:
            charger.file(disk / "file", 128 * MIB_PAGES)
        backend.apply([rule(leaf, in_large_passes)])
        backend.reclaim(leaf.cgroup_id, 120 * MIB_PAGES)
        for _ in until():
            if leaf.keyed("memory.stat")["pgsteal"]:
                break
        began_s = time.monotonic()
        leaf.path.rmdir()
        waited_s.append(time.monotonic() - began_s)
        (event,) = wait_for_ended(backend)
        assert event.reason in {StopReason.GONE, StopReason.RECLAIMED}
        (disk / "file").unlink()
    record_property("waited_s", waited_s)
    print(f"rmdir took {median(waited_s):.3f} s, {max(waited_s):.3f} s at most")
    assert max(waited_s) <= SLOWEST_RMDIR_S


def _use_up_swap(charger: Charger, cgroup: Cgroup) -> None:
    charger.anon(SWAP_MIB * MIB_PAGES)
    with suppress(BlockingIOError):  # there was room for no more
        cgroup.write("memory.reclaim", f"{SWAP_MIB * MIB} swappiness=200")


@pytest.fixture(params=["no swap", "none for the cgroup", "none left"])
def swapless(request: pytest.FixtureRequest, batch: Cgroup) -> Iterator[Cgroup]:
    """A cgroup whose anonymous memory has nowhere to go."""
    leaf = batch.child("leaf")
    match request.param:
        case "no swap":
            subprocess.run(["swapoff", SWAP], check=True)
            yield leaf
            subprocess.run(["swapon", SWAP], check=True)
        case "none for the cgroup":
            leaf.write("memory.swap.max", "0")
            yield leaf
        case _:
            other = batch.child("other")
            with Charger(other) as charger:
                _use_up_swap(charger, other)
                yield leaf


@pytest.mark.usefixtures("small_pages")
def test_anonymous_memory_is_left_alone_without_room_to_swap_to(backend: Backend, swapless: Cgroup) -> None:
    backend.apply([rule(swapless, replace(between(8, 6), swappiness=MAX_SWAPPINESS))])
    with Charger(swapless) as charger:
        charger.anon(9 * MIB_PAGES)
        (event,) = wait_for_ended(backend)
        assert event.reason is StopReason.NO_PROGRESS
        assert backend.stats()[swapless.cgroup_id].swapless > 0, Path("/proc/meminfo").read_text()
        assert int(swapless.read("memory.swap.current")) == 0


def test_what_is_less_than_was_asked_for_is_counted_as_it_is(
    backend: Backend, batch: Cgroup, disk: Path
) -> None:
    leaf = batch.child("leaf")
    leaf.write("memory.swap.max", "0")
    backend.apply([rule(leaf, replace(between(FAR_MIB, 1), pass_pages=16 * MIB_PAGES))])
    with Charger(leaf) as charger:
        charger.file(disk / "file", 4 * MIB_PAGES)
        charger.anon(8 * MIB_PAGES)
        before_pages = leaf.usage_pages
        backend.reclaim(leaf.cgroup_id, 12 * MIB_PAGES)
        (event,) = wait_for_ended(backend)
        went_pages = before_pages - leaf.usage_pages
    assert event.reason is StopReason.NO_PROGRESS
    assert event.pages_reclaimed >= 3 * MIB_PAGES
    assert event.pages_reclaimed == pytest.approx(went_pages, abs=MIB_PAGES)


def test_reclaim_is_held_to_its_share_of_a_cpu(
    backend: Backend, batch: Cgroup, disk: Path, record_property: Callable[..., None]
) -> None:
    leaf = batch.child("leaf")
    endless = all_of(Condition(Metric.AFTER, 3600 * NS_PER_S))
    applied_s = time.monotonic()
    backend.apply([rule(leaf, Reclaim(all_of(usage(8)), endless, cpu_permille=50, pass_pages=32))])
    with writing(leaf, disk / "data", 256):
        for _ in until():
            if backend.stats()[leaf.cgroup_id].passes:
                break
        began_s, spent_s = time.monotonic(), time.process_time()
        time.sleep(BUDGET_S)
        spent_s, took_s = time.process_time() - spent_s, time.monotonic() - began_s
        counters = backend.stats()[leaf.cgroup_id]
        seconds = math.ceil(time.monotonic() - applied_s) + 1
    share = spent_s / took_s
    record_property("share", share)
    print(f"5 % of a CPU for reclaim: {share:.1%} were spent, looking at the cgroup included")
    assert counters.held_back > 0
    assert counters.reclaim_cpu_ns / NS_PER_S <= 0.05 * seconds + LONGEST_PASS_NS / NS_PER_S
    # Nothing else runs in this process meanwhile.
    assert share <= 0.05 + CPU_SHARE + 2 * LONGEST_PASS_NS / NS_PER_S / took_s
