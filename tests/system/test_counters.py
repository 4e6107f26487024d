# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel counts of episodes, by itself: nobody reads its events here until the end."""

from pathlib import Path

import pytest

from reclaimd.backend.base import Backend, Counters, EpisodeEnded, StartReason, StopReason, Times
from reclaimd.cgroup.reading import EVENTS, take_reading
from reclaimd.config.models import Mode
from tests.kernel.cgroups import Cgroup, Charger, until
from tests.system.ended import take_ended
from tests.system.load import path_of
from tests.system.rules import MIB_PAGES, between, rule

#: More than fit into the ring buffer.
EPISODES = 3000
MOMENT_NS = 5_000_000_000


@pytest.fixture
def counted(backend: Backend, batch: Cgroup, disk: Path) -> Counters:
    """The counters of a cgroup between 8 and 6 MiB that wrote 64 MiB, with no episode running."""
    leaf = batch.child("leaf")
    backend.apply([rule(leaf, between(8, 6))])
    with Charger(leaf) as charger:
        charger.file(disk / "file", 64 * MIB_PAGES)
    counters = backend.stats()[leaf.cgroup_id]
    for _ in until():
        counters = backend.stats()[leaf.cgroup_id]
        if counters.triggers == counters.episodes:
            break
    return counters


def _number(times: Times) -> int:
    return sum(times.buckets)


def test_triggers_are_counted_by_what_they_were_for(counted: Counters) -> None:
    assert counted.triggers
    assert counted.started_for == {StartReason.USAGE: counted.triggers}


def test_episodes_are_counted_by_why_they_ended(counted: Counters) -> None:
    assert counted.ended_for[StopReason.USAGE]
    assert sum(counted.ended_for.values()) == counted.episodes


def test_each_episode_is_in_the_histogram_of_durations(counted: Counters) -> None:
    assert _number(counted.durations) == counted.episodes
    assert counted.durations.sum_ns > counted.reclaim_ns


def test_each_trigger_has_a_reaction_time(counted: Counters) -> None:
    assert 0 < _number(counted.first_passes) <= counted.triggers
    assert 0 < counted.first_passes.sum_ns < counted.durations.sum_ns


def test_the_first_page_comes_after_the_first_pass_has_begun(counted: Counters) -> None:
    assert 0 < _number(counted.first_pages) <= _number(counted.first_passes)
    assert counted.first_pages.sum_ns <= counted.durations.sum_ns


def test_durations_are_those_of_the_events(backend: Backend, batch: Cgroup, disk: Path) -> None:
    leaf = batch.child("leaf")
    backend.apply([rule(leaf, between(8, 6))])
    with Charger(leaf) as charger:
        charger.file(disk / "file", 9 * MIB_PAGES)
    events: list[EpisodeEnded] = []
    for _ in until():
        events += take_ended(backend)
        counters = backend.stats()[leaf.cgroup_id]
        if events and counters.triggers == counters.episodes == len(events):
            break
    told_ns = sum(event.ended_ns - event.started_ns for event in events)
    counted_ns = backend.stats()[leaf.cgroup_id].durations.sum_ns
    # The event is written a moment after the count, which is long only where the CPU is taken away in between.
    assert counted_ns <= told_ns <= counted_ns + MOMENT_NS * len(events)


def test_the_accounts_of_a_cgroup_are_those_that_it_shows(
    backend: Backend, batch: Cgroup, disk: Path
) -> None:
    leaf = batch.child("leaf")
    leaf.write("memory.swap.max", "0")
    leaf.write("memory.max", str(8 << 20))
    backend.apply([rule(leaf, between(64, 32))])
    with Charger(leaf) as charger:
        # Where all pages of a cgroup are being written back Linux 6.12 kills: no file is as large as the limit.
        for number in range(4):
            charger.file(disk / f"file{number}", 4 * MIB_PAGES)
        charger.anon(1)
    told = shown = None
    for _ in until():
        told = backend.stats()[leaf.cgroup_id].reading
        shown = take_reading("/sys/fs/cgroup", path_of(leaf), leaf.cgroup_id)
        # Pressure is brought up to date for who reads the file, and by and by.
        if told and told == shown:
            break
    assert told is not None
    assert told.events[EVENTS.index("max")] > 0
    assert told.usage_bytes > 0


@pytest.mark.bpf_only("the ring buffer")
def test_events_that_nobody_reads_are_lost_and_counted(backend: Backend, batch: Cgroup) -> None:
    leaf = batch.child("leaf")
    backend.apply([rule(leaf, between(64, 32), mode=Mode.MONITOR)])
    # Each is an episode that ends at once; the ring buffer has room for fewer events.
    for _ in range(EPISODES):
        backend.reclaim(leaf.cgroup_id, 1)
    told = backend.events()
    assert 0 < len(told) < EPISODES
    assert len(told) + backend.dropped_events() == EPISODES
    assert backend.stats()[leaf.cgroup_id].ended_for == {StopReason.MONITORED: EPISODES}
    backend.reclaim(leaf.cgroup_id, 1)
    assert len(backend.events()) == 1, "there is room again"
