# SPDX-License-Identifier: GPL-2.0-or-later
"""handle_cgroup_online, handle_cgroup_offline, and the end of attachments."""

from pathlib import Path

import pytest

from reclaimd.kernel.link import attach_struct_ops
from tests.kernel.cgroups import PATIENCE_S, ROOT, Cgroup, Charger, until
from tests.kernel.hooks import Hook, Hooks

PATIENCE_MS = int(PATIENCE_S * 1000)


def test_online_is_called_for_each_new_descendant(hooks: Hooks, cgroup: Cgroup) -> None:
    cgroup.child("older")
    with hooks.attached("first", cgroup):
        child = cgroup.child("child")
        grandchild = child.child("grandchild")
        assert hooks.calls(Hook.ONLINE, child) == 1
        assert hooks.calls(Hook.ONLINE, grandchild) == 1
        assert hooks.cgroups_called_for(Hook.ONLINE) == {child.cgroup_id, grandchild.cgroup_id}


def test_online_comes_before_the_first_charge(hooks: Hooks, cgroup: Cgroup) -> None:
    with hooks.attached("first", cgroup):
        child = cgroup.child("child")
        assert hooks.calls(Hook.ONLINE, child) == 1
        with Charger(child) as charger:
            charger.anon(256)
            assert hooks.record(Hook.CHARGED, child).pages >= 256


def test_online_is_called_when_the_memory_controller_comes_later(hooks: Hooks, cgroup: Cgroup) -> None:
    late = Cgroup.make(cgroup.path / "late")
    with hooks.attached("first", cgroup):
        assert not hooks.calls(Hook.ONLINE, late)
        cgroup.enable_memory()
        assert hooks.calls(Hook.ONLINE, late) == 1
        assert hooks.ops_of(late) == "first"


def test_offline_is_called_for_each_removed_descendant(hooks: Hooks, cgroup: Cgroup) -> None:
    with hooks.attached("first", cgroup):
        child = cgroup.child("child")
        child_id = child.cgroup_id
        child.remove()
        for _ in until():
            if hooks.calls(Hook.OFFLINE, child_id):
                break
        assert hooks.calls(Hook.OFFLINE, child_id) == 1


def test_offline_is_called_when_the_memory_controller_goes(hooks: Hooks, cgroup: Cgroup) -> None:
    child = cgroup.child("child")
    with hooks.attached("first", cgroup):
        cgroup.disable_memory()
        for _ in until():
            if hooks.calls(Hook.OFFLINE, child):
                break


def test_removing_the_cgroup_detaches_the_link_and_hangs_up(hooks: Hooks, cgroup: Cgroup) -> None:
    child = cgroup.child("child")
    with hooks.attached("first", child) as link:
        assert not link.wait_detached(0)
        child.remove()
        assert link.wait_detached(PATIENCE_MS)
        assert link.info().map_id is None


def test_a_detached_link_may_be_detached_again(hooks: Hooks, cgroup: Cgroup) -> None:
    child = cgroup.child("child")
    with hooks.attached("first", child) as link:
        child.remove()
        assert link.wait_detached(PATIENCE_MS)
        link.detach()


def test_detaching_hangs_up(hooks: Hooks, cgroup: Cgroup) -> None:
    with hooks.attached("first", cgroup) as link:
        link.detach()
        assert link.wait_detached(0)
        assert hooks.ops_of(cgroup) is None


def test_closing_the_last_descriptor_detaches(hooks: Hooks, cgroup: Cgroup) -> None:
    link = hooks.attach("first", cgroup)
    assert hooks.ops_of(cgroup) == "first"
    link.close()
    for _ in until():
        if hooks.ops_of(cgroup) is None:
            break


def test_cgroup_can_be_made_again_after_its_removal(hooks: Hooks, cgroup: Cgroup) -> None:
    child = cgroup.child("child")
    with hooks.attached("first", child) as old:
        child.remove()
        again = cgroup.child("child")
        with hooks.attached("second", again):
            assert hooks.ops_of(again) == "second"
            assert old.wait_detached(PATIENCE_MS)
            assert hooks.ops_of(again) == "second"


def test_page_cache_of_a_removed_cgroup_outlives_the_attachment(
    hooks: Hooks, cgroup: Cgroup, disk: Path
) -> None:
    """What is uncharged after all is removed and detached finds no ops, rather than freed ones."""
    child = cgroup.child("child")
    link = hooks.attach("first", child)
    with Charger(child) as charger:
        charger.file(disk / "cache", 1024)
    child.remove()
    assert link.wait_detached(PATIENCE_MS)
    link.close()
    hooks.forget()
    (disk / "cache").unlink()
    assert hooks.cgroups_called_for(Hook.UNCHARGED) == set()


def test_attaching_to_a_removed_cgroup_fails(hooks: Hooks, cgroup: Cgroup) -> None:
    child = cgroup.child("child")
    with child.opened() as fd:
        child.remove()
        with pytest.raises(OSError, match="bpf_link_create"):
            attach_struct_ops(hooks.object.map("first"), fd)


def test_taking_the_memory_controller_away_ends_the_attachment(hooks: Hooks, cgroup: Cgroup) -> None:
    child = cgroup.child("child")
    with hooks.attached("first", child) as link:
        cgroup.disable_memory()
        assert link.wait_detached(PATIENCE_MS)
        cgroup.enable_memory()
        assert hooks.ops_of(child) is None


def test_root_cgroup_governs_all_others(hooks: Hooks, cgroup: Cgroup) -> None:
    with hooks.attached("first", Cgroup(ROOT)):
        assert hooks.ops_of(cgroup) == "first"
    assert hooks.ops_of(cgroup) is None
