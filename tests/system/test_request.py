# SPDX-License-Identifier: GPL-2.0-or-later
"""Episodes that were asked for: what they reclaim, and where they end."""

from dataclasses import replace
from pathlib import Path

import pytest

from reclaimd.backend.base import Backend, EpisodeEnded, RefusedError, StartReason, StopReason
from reclaimd.config.models import Mode
from tests.kernel.cgroups import Cgroup, Charger
from tests.system.ended import wait_for_ended
from tests.system.rules import MIB_PAGES, between, rule

#: Usage never gets there.
FAR = between(1024, 1000)


@pytest.fixture
def leaf(batch: Cgroup) -> Cgroup:
    return batch.child("leaf")


@pytest.fixture
def cached(leaf: Cgroup, disk: Path) -> None:
    """The cgroup holds 32 MiB of page cache."""
    with Charger(leaf) as charger:
        charger.file(disk / "file", 32 * MIB_PAGES)


def _ended(backend: Backend) -> EpisodeEnded:
    return wait_for_ended(backend)[0]


@pytest.mark.usefixtures("cached")
def test_it_ends_when_it_has_what_was_asked_for(backend: Backend, leaf: Cgroup) -> None:
    backend.apply([rule(leaf, FAR)])
    before = leaf.usage_pages
    backend.reclaim(leaf.cgroup_id, 8 * MIB_PAGES)
    event = _ended(backend)
    assert (event.started_for, event.start_value) == (StartReason.REQUESTED, 8 * MIB_PAGES)
    assert event.reason is StopReason.RECLAIMED
    assert event.pages_reclaimed >= 8 * MIB_PAGES
    assert event.usage_started_pages == pytest.approx(before, abs=MIB_PAGES)
    assert leaf.usage_pages <= before - 7 * MIB_PAGES


@pytest.mark.usefixtures("cached")
def test_it_is_made_of_bounded_passes_and_counted(backend: Backend, leaf: Cgroup) -> None:
    backend.apply([rule(leaf, FAR)])
    backend.reclaim(leaf.cgroup_id, 4 * MIB_PAGES)
    event = _ended(backend)
    assert event.passes >= 4 * MIB_PAGES // FAR.pass_pages
    counters = backend.stats()[leaf.cgroup_id]
    assert (counters.triggers, counters.episodes) == (1, 1)
    assert counters.pages_reclaimed == event.pages_reclaimed


@pytest.mark.usefixtures("cached")
def test_it_does_not_go_below_the_floor(backend: Backend, leaf: Cgroup) -> None:
    backend.apply([rule(leaf, replace(FAR, floor_pages=24 * MIB_PAGES))])
    backend.reclaim(leaf.cgroup_id, 32 * MIB_PAGES)
    event = _ended(backend)
    assert event.reason is StopReason.FLOOR
    assert event.usage_ended_pages >= 23 * MIB_PAGES


def test_it_gives_up_where_there_is_nothing(backend: Backend, leaf: Cgroup) -> None:
    leaf.write("memory.swap.max", "0")
    backend.apply([rule(leaf, FAR)])
    with Charger(leaf) as charger:
        charger.anon(4 * MIB_PAGES)
        backend.reclaim(leaf.cgroup_id, 2 * MIB_PAGES)
        event = _ended(backend)
    assert event.reason is StopReason.NO_PROGRESS


@pytest.mark.usefixtures("cached")
def test_a_cooldown_is_for_triggers(backend: Backend, leaf: Cgroup) -> None:
    backend.apply([rule(leaf, replace(FAR, cooldown_ms=3_600_000))])
    for _ in range(2):
        backend.reclaim(leaf.cgroup_id, MIB_PAGES)
        assert _ended(backend).reason is StopReason.RECLAIMED


@pytest.mark.usefixtures("cached")
def test_the_next_trigger_goes_by_the_rule_again(backend: Backend, leaf: Cgroup, disk: Path) -> None:
    backend.apply([rule(leaf, FAR)])
    backend.reclaim(leaf.cgroup_id, MIB_PAGES)
    _ended(backend)
    backend.apply([rule(leaf, between(24, 20))])
    with Charger(leaf) as charger:
        charger.file(disk / "more", 4 * MIB_PAGES)
        event = _ended(backend)
    assert (event.started_for, event.reason) == (StartReason.USAGE, StopReason.USAGE)
    assert event.usage_ended_pages <= 20 * MIB_PAGES


@pytest.mark.usefixtures("cached")
def test_a_second_one_is_refused_while_one_runs(backend: Backend, leaf: Cgroup) -> None:
    # So little in a second that the first is still there.
    backend.apply([rule(leaf, replace(FAR, rate_pages_per_s=1))])
    backend.reclaim(leaf.cgroup_id, 8 * MIB_PAGES)
    with pytest.raises(RefusedError, match="under way"):
        backend.reclaim(leaf.cgroup_id, MIB_PAGES)


@pytest.mark.usefixtures("cached")
def test_a_policy_that_monitors_reclaims_nothing(backend: Backend, leaf: Cgroup) -> None:
    backend.apply([rule(leaf, FAR, mode=Mode.MONITOR)])
    backend.reclaim(leaf.cgroup_id, 8 * MIB_PAGES)
    event = _ended(backend)
    assert (event.reason, event.pages_reclaimed) == (StopReason.MONITORED, 0)


def test_a_rule_that_does_not_reclaim_refuses(backend: Backend, leaf: Cgroup) -> None:
    backend.apply([rule(leaf)])
    with pytest.raises(RefusedError, match="does not reclaim"):
        backend.reclaim(leaf.cgroup_id, MIB_PAGES)


def test_a_cgroup_without_a_rule_refuses(backend: Backend, leaf: Cgroup) -> None:
    with pytest.raises(RefusedError, match="no rule"):
        backend.reclaim(leaf.cgroup_id, MIB_PAGES)
