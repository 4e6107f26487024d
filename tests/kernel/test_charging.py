# SPDX-License-Identifier: GPL-2.0-or-later
"""memcg_charged and memcg_uncharged."""

import os
from pathlib import Path

import pytest

from tests.kernel.cgroups import CHARGE_BATCH_PAGES, PAGE_BYTES, Cgroup, Charger, until
from tests.kernel.hooks import Hook, Hooks

PAGES = 10 * CHARGE_BATCH_PAGES
HUGE_PAGES = 512


@pytest.fixture
def leaf(cgroup: Cgroup) -> Cgroup:
    return cgroup.child("leaf")


def test_charged_is_called_for_the_leaf_and_not_for_its_ancestors(
    hooks: Hooks, cgroup: Cgroup, leaf: Cgroup
) -> None:
    with hooks.attached("first", cgroup), Charger(leaf) as charger:
        charger.anon(PAGES)
        assert hooks.record(Hook.CHARGED, leaf).pages >= PAGES
        assert hooks.cgroups_called_for(Hook.CHARGED) == {leaf.cgroup_id}


def test_charged_runs_in_the_charging_task(hooks: Hooks, cgroup: Cgroup, leaf: Cgroup) -> None:
    with hooks.attached("first", cgroup), Charger(leaf) as charger:
        charger.anon(PAGES)
        assert hooks.record(Hook.CHARGED, leaf).last_tgid == charger.pid


def test_charged_sees_batches_and_not_what_the_per_cpu_stock_serves(
    hooks: Hooks, cgroup: Cgroup, leaf: Cgroup
) -> None:
    with hooks.attached("first", cgroup), Charger(leaf) as charger:
        hooks.forget()
        charger.anon(PAGES)
        record = hooks.record(Hook.CHARGED, leaf)
        assert record.batches * CHARGE_BATCH_PAGES >= PAGES - 2 * CHARGE_BATCH_PAGES
        assert record.calls < PAGES / 4


def test_charged_and_uncharged_add_up_to_the_usage(hooks: Hooks, cgroup: Cgroup, leaf: Cgroup) -> None:
    def balance_pages() -> int:
        return int(hooks.record(Hook.CHARGED, leaf).pages - hooks.record(Hook.UNCHARGED, leaf).pages)

    with hooks.attached("first", cgroup):
        with Charger(leaf) as charger:
            charger.anon(PAGES)
            assert balance_pages() >= PAGES
            charger.free()
            # Kernel memory is freed by and by, so the two are not read at one and the same moment.
            for _ in until():
                if balance_pages() == leaf.usage_pages:
                    break
        assert hooks.record(Hook.UNCHARGED, leaf).pages >= PAGES - 2 * CHARGE_BATCH_PAGES * (
            os.cpu_count() or 1
        )
        for _ in until():
            if balance_pages() == leaf.usage_pages:
                break


@pytest.mark.parametrize("defrag", ["always", "defer", "defer+madvise", "madvise", "never"])
def test_huge_pages_are_charged_like_others(
    hooks: Hooks, cgroup: Cgroup, leaf: Cgroup, huge_pages: Path, defrag: str
) -> None:
    (huge_pages / "defrag").write_text(defrag)
    with hooks.attached("first", cgroup), Charger(leaf) as charger:
        charger.huge(4)
        assert leaf.keyed("memory.stat")["anon_thp"] == 4 * HUGE_PAGES * PAGE_BYTES
        assert hooks.record(Hook.CHARGED, leaf).pages >= 4 * HUGE_PAGES
        charger.free()
        assert hooks.record(Hook.UNCHARGED, leaf).pages >= 4 * HUGE_PAGES


def test_uncharged_is_called_for_the_leaf(hooks: Hooks, cgroup: Cgroup, leaf: Cgroup) -> None:
    with hooks.attached("first", cgroup), Charger(leaf) as charger:
        charger.anon(PAGES)
        charger.free()
        assert hooks.cgroups_called_for(Hook.UNCHARGED) == {leaf.cgroup_id}


def test_hooks_may_be_left_out(hooks: Hooks, cgroup: Cgroup, leaf: Cgroup) -> None:
    with hooks.attached("only_charged", cgroup), Charger(leaf) as charger:
        charger.anon(PAGES)
        charger.free()
        assert hooks.calls(Hook.CHARGED, leaf)
        assert not hooks.calls(Hook.UNCHARGED, leaf)
        cgroup.child("passing").remove()
        _reclaim_all(cgroup)


def test_ops_without_any_hook_change_nothing(hooks: Hooks, cgroup: Cgroup, leaf: Cgroup) -> None:
    with hooks.attached("empty", cgroup), Charger(leaf) as charger:
        charger.anon(PAGES)
        charger.free()
        cgroup.child("passing").remove()
        _reclaim_all(cgroup)


def test_nothing_is_called_where_nothing_is_attached(hooks: Hooks, cgroup: Cgroup, leaf: Cgroup) -> None:
    other = cgroup.child("other")
    with hooks.attached("first", other), Charger(leaf) as charger:
        charger.anon(PAGES)
        charger.free()
        assert hooks.cgroups_called_for(Hook.CHARGED) == set()


def _reclaim_all(cgroup: Cgroup) -> None:
    try:
        cgroup.write("memory.reclaim", "1G")
    except BlockingIOError:
        return  # less than asked for was there, as ever
    raise AssertionError("1 GiB cannot have been reclaimed")
