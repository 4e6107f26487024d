# SPDX-License-Identifier: GPL-2.0-or-later
"""The bpf backend by itself: rules replaced, attachments moved, failures undone."""

from dataclasses import replace
from pathlib import Path

import pytest

from reclaimd.backend.base import Backend, CgroupGone, EpisodeEnded, StopReason
from reclaimd.config.models import Mode
from reclaimd.errors import HostError
from reclaimd.kernel.ids import link_ids
from reclaimd.kernel.link import attach_struct_ops
from reclaimd.policy.rule import BackPressure, Rule
from tests.kernel.cgroups import CHARGE_BATCH_PAGES, Cgroup, Charger, flushers_asleep, uncached_file, until
from tests.kernel.objects import loaded
from tests.system.ended import wait_for_ended
from tests.system.load import MIB, limited
from tests.system.rules import MIB_PAGES, between, rule


def _rule(
    cgroup: Cgroup, start_mib: int = 8, stop_mib: int = 6, back_pressure: BackPressure | None = None
) -> Rule:
    return rule(cgroup, between(start_mib, stop_mib), back_pressure=back_pressure)


def _charge(cgroup: Cgroup, disk: Path, mib: int = 16) -> None:
    with Charger(cgroup) as charger:
        charger.file(disk / "file", mib * MIB_PAGES)


def _triggers(backend: Backend, cgroup: Cgroup) -> int:
    return backend.stats()[cgroup.cgroup_id].triggers


def test_an_episode_brings_usage_down_to_stop(backend: Backend, batch: Cgroup, disk: Path) -> None:
    leaf = batch.child("leaf")
    backend.apply([_rule(leaf)])
    _charge(leaf, disk)
    events = wait_for_ended(backend)
    assert events[0].usage_started_pages >= 8 * MIB_PAGES
    below = [event for event in events if event.reason is StopReason.USAGE]
    assert all(event.usage_ended_pages <= 6 * MIB_PAGES for event in below)


@pytest.mark.bpf_only("links")
def test_only_the_topmost_of_nested_cgroups_is_linked(backend: Backend, batch: Cgroup) -> None:
    inner = batch.child("slice")
    leaf = inner.child("leaf")
    before = link_ids()
    backend.apply([_rule(batch), _rule(inner), _rule(leaf)])
    assert len(link_ids() - before) == 1


def test_nested_rules_all_hold(backend: Backend, batch: Cgroup) -> None:
    inner = batch.child("slice")
    leaf = inner.child("leaf")
    backend.apply([_rule(batch, 12, 10), _rule(inner, 10, 8), _rule(leaf, 8, 6)])
    leaf.write("memory.swap.max", "0")  # so that usage gets to each threshold, whatever the passes do
    with Charger(leaf) as charger:
        charger.anon(16 * MIB_PAGES)
        for _ in until():
            if all(_triggers(backend, cgroup) for cgroup in (batch, inner, leaf)):
                break


def test_a_rule_below_stays_in_force_when_the_one_above_goes(
    backend: Backend, batch: Cgroup, disk: Path
) -> None:
    leaf = batch.child("leaf")
    backend.apply([_rule(batch), _rule(leaf)])
    backend.apply([_rule(leaf)])
    _charge(leaf, disk)
    assert _triggers(backend, leaf)
    assert batch.cgroup_id not in backend.stats()


@pytest.mark.bpf_only("links")
def test_a_rule_above_takes_over_the_attachment(backend: Backend, batch: Cgroup, disk: Path) -> None:
    leaf = batch.child("leaf")
    before = link_ids()
    backend.apply([_rule(leaf)])
    _charge(leaf, disk)
    counted = _triggers(backend, leaf)
    backend.apply([_rule(batch, 10, 8), _rule(leaf)])
    for _ in until():
        if len(link_ids() - before) == 1:
            break
    (disk / "file").unlink()
    _charge(leaf, disk)
    assert _triggers(backend, leaf) > counted, "and the counters went on"


def test_replacing_a_rule_keeps_its_counters(backend: Backend, batch: Cgroup, disk: Path) -> None:
    leaf = batch.child("leaf")
    backend.apply([_rule(leaf)])
    _charge(leaf, disk)
    counted = backend.stats()[leaf.cgroup_id]
    backend.apply([_rule(leaf, 9, 7)])
    after = backend.stats()[leaf.cgroup_id]
    assert counted.triggers
    assert after.triggers >= counted.triggers
    assert after.pages_reclaimed >= counted.pages_reclaimed


def test_a_cgroup_that_is_gone_already_is_left_out(backend: Backend, batch: Cgroup) -> None:
    leaf, passing = batch.child("leaf"), batch.child("passing")
    rules = [_rule(leaf), _rule(passing)]
    passing.remove()
    backend.apply(rules)
    assert leaf.cgroup_id in backend.stats()


@pytest.mark.bpf_only("links")
def test_a_path_that_another_cgroup_has_taken_is_left_alone(backend: Backend, batch: Cgroup) -> None:
    leaf = batch.child("leaf")
    gone = _rule(leaf)
    leaf.remove()
    batch.child("leaf")
    before = link_ids()
    backend.apply([gone])
    assert link_ids() == before


def test_the_removal_of_a_governed_cgroup_is_reported_once(backend: Backend, batch: Cgroup) -> None:
    leaf = batch.child("leaf")
    gone = leaf.cgroup_id
    backend.apply([_rule(leaf)])
    leaf.remove()
    events = []
    for _ in until():
        events += backend.events()
        if events:
            break
    for _ in range(3):
        events += backend.events()
    assert events == [CgroupGone(gone)]
    assert gone not in backend.stats()


@pytest.mark.bpf_only("links")
def test_a_refused_attachment_leaves_the_old_rules_in_force(
    backend: Backend, batch: Cgroup, disk: Path
) -> None:
    leaf, taken = batch.child("leaf"), batch.child("taken")
    backend.apply([_rule(leaf)])
    with (
        loaded("hooks") as other,
        taken.opened() as fd,
        attach_struct_ops(other.map("first"), fd),
        pytest.raises(HostError, match="other BPF programs are attached"),
    ):
        backend.apply([_rule(leaf, 10, 9), _rule(taken)])
    _charge(leaf, disk, 9)
    assert _triggers(backend, leaf), "at 8 MiB, as before"
    assert taken.cgroup_id not in backend.stats()


@pytest.fixture
def pressed(backend: Backend, batch: Cgroup) -> Cgroup:
    """A cgroup under back-pressure from 9 MiB on, in which nothing can be reclaimed but files."""
    leaf = batch.child("leaf")
    leaf.write("memory.swap.max", "0")
    pressure = BackPressure(start_pages=9 * MIB_PAGES, full_pages=12 * MIB_PAGES, max_delay_ms=20)
    backend.apply([_rule(leaf, back_pressure=pressure)])
    return leaf


@pytest.mark.bpf_only("delays of charges")
def test_charges_near_the_limit_are_delayed(backend: Backend, pressed: Cgroup) -> None:
    with Charger(pressed) as charger:
        charger.anon(11 * MIB_PAGES)
    counters = backend.stats()[pressed.cgroup_id]
    assert counters.delays
    assert 50 * counters.delays <= counters.delay_us <= 20_000 * counters.delays


@pytest.mark.bpf_only("refusals of charges")
def test_near_the_limit_there_are_no_huge_pages(backend: Backend, pressed: Cgroup) -> None:
    with Charger(pressed) as charger:
        charger.huge(8)
        # Half of the way from 9 MiB to where delays are longest.
        assert pressed.keyed("memory.stat")["anon_thp"] <= 10 * MIB
    assert backend.stats()[pressed.cgroup_id].refusals >= 3


@pytest.mark.bpf_only("refusals of charges")
def test_readahead_ends_where_its_task_is_to_be_held_up(backend: Backend, batch: Cgroup, disk: Path) -> None:
    leaf = batch.child("leaf")
    pressure = BackPressure(start_pages=3 * MIB_PAGES, full_pages=5 * MIB_PAGES, max_delay_ms=20)
    # Nothing is reclaimed, so what is there is what was read.
    backend.apply([_rule(leaf, 64, 60, back_pressure=pressure)])
    file = uncached_file(disk / "ahead", 16 * MIB_PAGES)
    with Charger(leaf) as charger:
        charger.ahead(file, 16 * MIB_PAGES)
        assert 3 * MIB_PAGES <= leaf.usage_pages < 5 * MIB_PAGES
    assert backend.stats()[leaf.cgroup_id].refusals


@pytest.mark.bpf_only("write-back")
def test_dirty_pages_are_written_back_before_they_have_to_be_reclaimed(
    backend: Backend, batch: Cgroup, disk: Path
) -> None:
    leaf = limited(batch, "leaf", 64)
    backend.apply([_rule(leaf, 32, 30)])
    with flushers_asleep(), Charger(leaf) as charger:
        # An inode is written back on behalf of the cgroup that first made it dirty.
        charger.dirty(disk / "dirty-first-here", 20 * MIB_PAGES)
        for _ in until():
            if leaf.keyed("memory.stat")["file_dirty"] < 8 * MIB:
                break
            # What was written too fast to be seen is with another charge.
            if leaf.usage_pages < 28 * MIB_PAGES:
                charger.anon(CHARGE_BATCH_PAGES)
    counters = backend.stats()[leaf.cgroup_id]
    assert counters.write_backs
    assert not counters.triggers


@pytest.mark.bpf_only("write-back")
def test_a_policy_that_only_watches_has_nothing_written_back(
    backend: Backend, batch: Cgroup, disk: Path
) -> None:
    leaf = limited(batch, "leaf", 32)
    backend.apply([replace(_rule(leaf, 24, 22), mode=Mode.MONITOR)])
    with Charger(leaf) as charger:
        charger.dirty(disk / "dirty-and-watched", 20 * MIB_PAGES)
    assert not backend.stats()[leaf.cgroup_id].write_backs


def test_an_episode_that_gets_nowhere_gives_up(backend: Backend, batch: Cgroup) -> None:
    leaf = batch.child("leaf")
    leaf.write("memory.swap.max", "0")
    backend.apply([_rule(leaf)])
    with Charger(leaf) as charger:
        charger.anon(12 * MIB_PAGES)
        events = []
        for _ in until():
            events += backend.events()
            if events:
                break
    ended = [event for event in events if isinstance(event, EpisodeEnded)]
    assert ended[0].reason is StopReason.NO_PROGRESS
    assert backend.stats()[leaf.cgroup_id].give_ups
