# SPDX-License-Identifier: GPL-2.0-or-later
"""below_low and below_min."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kernel.cgroups import PAGE_BYTES, Cgroup, Charger
from tests.kernel.hooks import Hook, Hooks

PAGES = 2048
#: What may move without reclaim: per-CPU stocks, kernel memory.
SLACK_PAGES = 256


@contextmanager
def siblings_with_page_cache(parent: Cgroup, disk: Path) -> Iterator[tuple[Cgroup, Cgroup]]:
    """Two cgroups with as much clean page cache each."""
    pair = parent.child("spared"), parent.child("prey")
    with Charger(pair[0]) as spared, Charger(pair[1]) as prey:
        spared.file(disk / "spared", PAGES)
        prey.file(disk / "prey", PAGES)
        yield pair


def reclaim(cgroup: Cgroup, pages: int) -> None:
    try:
        cgroup.write("memory.reclaim", str(pages * PAGE_BYTES))
    except BlockingIOError:
        return  # less than that was there


def test_below_low_true_protects(hooks: Hooks, cgroup: Cgroup, disk: Path) -> None:
    with siblings_with_page_cache(cgroup, disk) as (spared, prey), hooks.attached("first", cgroup):
        hooks.configure("low_cgroup_id", spared.cgroup_id)
        before_pages = spared.usage_pages
        reclaim(cgroup, PAGES // 2)
        assert spared.usage_pages >= before_pages - SLACK_PAGES
        assert prey.usage_pages <= PAGES - PAGES // 2 + SLACK_PAGES


def test_below_low_true_yields_when_nothing_else_is_left(hooks: Hooks, cgroup: Cgroup, disk: Path) -> None:
    with siblings_with_page_cache(cgroup, disk) as (spared, _), hooks.attached("first", cgroup):
        hooks.configure("low_cgroup_id", spared.cgroup_id)
        reclaim(cgroup, 2 * PAGES)
        assert spared.usage_pages < PAGES // 2
        assert spared.keyed("memory.events")["low"] > 0


def test_below_min_true_protects_even_when_nothing_else_is_left(
    hooks: Hooks, cgroup: Cgroup, disk: Path
) -> None:
    with siblings_with_page_cache(cgroup, disk) as (spared, prey), hooks.attached("first", cgroup):
        hooks.configure("min_cgroup_id", spared.cgroup_id)
        before_pages = spared.usage_pages
        reclaim(cgroup, 2 * PAGES)
        assert spared.usage_pages >= before_pages - SLACK_PAGES
        assert prey.usage_pages < PAGES // 2


def test_false_leaves_it_to_memory_min(hooks: Hooks, cgroup: Cgroup, disk: Path) -> None:
    with siblings_with_page_cache(cgroup, disk) as (spared, prey), hooks.attached("first", cgroup):
        spared.write("memory.min", "max")
        before_pages = spared.usage_pages
        reclaim(cgroup, 2 * PAGES)
        assert hooks.calls(Hook.BELOW_MIN, spared) > 0
        assert spared.usage_pages >= before_pages - SLACK_PAGES
        assert prey.usage_pages < PAGES // 2


def test_false_leaves_it_to_memory_low(hooks: Hooks, cgroup: Cgroup, disk: Path) -> None:
    with siblings_with_page_cache(cgroup, disk) as (spared, prey), hooks.attached("first", cgroup):
        spared.write("memory.low", "max")
        before_pages = spared.usage_pages
        reclaim(cgroup, PAGES // 2)
        assert hooks.calls(Hook.BELOW_LOW, spared) > 0
        assert spared.usage_pages >= before_pages - SLACK_PAGES
        assert prey.usage_pages <= PAGES - PAGES // 2 + SLACK_PAGES


def test_false_protects_nothing(hooks: Hooks, cgroup: Cgroup, disk: Path) -> None:
    with siblings_with_page_cache(cgroup, disk) as (spared, prey), hooks.attached("first", cgroup):
        reclaim(cgroup, 2 * PAGES)
        assert spared.usage_pages < PAGES // 2
        assert prey.usage_pages < PAGES // 2


def test_hooks_are_given_the_effective_protection_and_the_usage_in_pages(
    hooks: Hooks, cgroup: Cgroup, disk: Path
) -> None:
    with siblings_with_page_cache(cgroup, disk) as (spared, _), hooks.attached("first", cgroup):
        spared.write("memory.low", str(300 * PAGE_BYTES))
        spared.write("memory.min", str(200 * PAGE_BYTES))
        before_pages = spared.usage_pages
        hooks.configure("low_cgroup_id", spared.cgroup_id)
        reclaim(cgroup, PAGES // 2)
        low = hooks.record(Hook.BELOW_LOW, spared)
        minimum = hooks.record(Hook.BELOW_MIN, spared)
        assert (low.last_limit, minimum.last_limit) == (300, 200)
        assert abs(low.last_usage - before_pages) <= SLACK_PAGES
        assert abs(minimum.last_usage - before_pages) <= SLACK_PAGES


def test_hooks_are_not_asked_for_what_is_reclaimed_itself(hooks: Hooks, cgroup: Cgroup, disk: Path) -> None:
    """The target of reclaim is never protected from it, whatever its own settings are."""
    with siblings_with_page_cache(cgroup, disk) as (spared, prey), hooks.attached("first", cgroup):
        hooks.configure("low_cgroup_id", spared.cgroup_id)
        hooks.configure("min_cgroup_id", spared.cgroup_id)
        reclaim(spared, PAGES)
        assert spared.usage_pages < PAGES // 2
        assert hooks.cgroups_called_for(Hook.BELOW_LOW) == set()
        assert hooks.cgroups_called_for(Hook.BELOW_MIN) == set()
        hooks.configure("min_cgroup_id", 0)
        reclaim(cgroup, PAGES // 2)
        assert hooks.cgroups_called_for(Hook.BELOW_MIN) == {spared.cgroup_id, prey.cgroup_id}
