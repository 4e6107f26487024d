# SPDX-License-Identifier: GPL-2.0-or-later
"""Which ops a cgroup has when several are attached above it, and when they are detached."""

from reclaimd.kernel.link import BPF_F_ALLOW_OVERRIDE
from tests.kernel.cgroups import PATIENCE_S, Cgroup
from tests.kernel.hooks import Hooks


def test_existing_descendants_inherit(hooks: Hooks, cgroup: Cgroup) -> None:
    grandchild = cgroup.child("child").child("grandchild")
    with hooks.attached("first", cgroup):
        assert hooks.ops_of(grandchild) == "first"


def test_later_descendants_inherit(hooks: Hooks, cgroup: Cgroup) -> None:
    with hooks.attached("first", cgroup):
        grandchild = cgroup.child("child").child("grandchild")
        assert hooks.ops_of(grandchild) == "first"


def test_later_descendants_inherit_from_the_nearest_attachment(hooks: Hooks, cgroup: Cgroup) -> None:
    child = cgroup.child("child")
    with hooks.attached("first", cgroup, BPF_F_ALLOW_OVERRIDE), hooks.attached("second", child):
        assert hooks.ops_of(child.child("grandchild")) == "second"


def test_what_is_above_does_not_inherit(hooks: Hooks, cgroup: Cgroup) -> None:
    child = cgroup.child("child")
    sibling = cgroup.child("sibling")
    with hooks.attached("first", child):
        assert hooks.ops_of(sibling) is None


def test_detaching_leaves_descendants_without_ops(hooks: Hooks, cgroup: Cgroup) -> None:
    grandchild = cgroup.child("child").child("grandchild")
    with hooks.attached("first", cgroup) as link:
        link.detach()
        assert hooks.ops_of(grandchild) is None


def test_detaching_hands_the_parents_ops_down(hooks: Hooks, cgroup: Cgroup) -> None:
    child = cgroup.child("child")
    grandchild = child.child("grandchild")
    with (
        hooks.attached("first", cgroup, BPF_F_ALLOW_OVERRIDE),
        hooks.attached("second", child) as link,
    ):
        link.detach()
        assert hooks.ops_of(grandchild) == "first"
        assert hooks.ops_of(child.child("later")) == "first"


def test_detaching_in_the_middle_leaves_the_lowest_alone(hooks: Hooks, cgroup: Cgroup) -> None:
    middle = cgroup.child("middle")
    lowest = middle.child("lowest")
    beside = middle.child("beside")
    with (
        hooks.attached("first", cgroup, BPF_F_ALLOW_OVERRIDE),
        hooks.attached("second", middle, BPF_F_ALLOW_OVERRIDE) as link,
        hooks.attached("third", lowest),
    ):
        link.detach()
        assert (hooks.ops_of(lowest), hooks.ops_of(beside)) == ("third", "first")


def test_detaching_from_the_top_leaves_those_below_alone(hooks: Hooks, cgroup: Cgroup) -> None:
    child = cgroup.child("child")
    beside = cgroup.child("beside")
    with (
        hooks.attached("first", cgroup, BPF_F_ALLOW_OVERRIDE) as link,
        hooks.attached("second", child),
    ):
        link.detach()
        assert (hooks.ops_of(child), hooks.ops_of(beside)) == ("second", None)


def test_detaching_the_parent_leaves_the_childs_attachment_of_the_same_map(
    hooks: Hooks, cgroup: Cgroup
) -> None:
    child = cgroup.child("child")
    beside = cgroup.child("beside")
    with (
        hooks.attached("first", cgroup, BPF_F_ALLOW_OVERRIDE) as above,
        hooks.attached("first", child) as below,
    ):
        above.detach()
        assert (hooks.ops_of(child), hooks.ops_of(beside)) == ("first", None)
        later = child.child("later")
        assert hooks.ops_of(later) == "first"
        assert not below.wait_detached(0)
        below.detach()
        assert hooks.ops_of(later) is None


def test_detaching_the_child_leaves_the_parents_attachment_of_the_same_map(
    hooks: Hooks, cgroup: Cgroup
) -> None:
    child = cgroup.child("child")
    with (
        hooks.attached("first", cgroup, BPF_F_ALLOW_OVERRIDE),
        hooks.attached("first", child) as below,
    ):
        below.detach()
        assert hooks.ops_of(child) == "first"


def test_detached_descendants_may_be_attached_to_again_as_the_parent_allows(
    hooks: Hooks, cgroup: Cgroup
) -> None:
    child = cgroup.child("child")
    grandchild = child.child("grandchild")
    with hooks.attached("first", cgroup, BPF_F_ALLOW_OVERRIDE):
        hooks.attach("second", child).close()
        with hooks.attached("third", grandchild):
            assert hooks.ops_of(grandchild) == "third"


def test_removing_an_overriding_cgroup_leaves_the_parents_ops_to_its_siblings(
    hooks: Hooks, cgroup: Cgroup
) -> None:
    child, sibling = cgroup.child("child"), cgroup.child("sibling")
    with (
        hooks.attached("first", cgroup, BPF_F_ALLOW_OVERRIDE),
        hooks.attached("second", child) as link,
    ):
        child.remove()
        assert link.wait_detached(int(PATIENCE_S * 1000))
        assert hooks.ops_of(sibling) == "first"
        assert hooks.ops_of(cgroup.child("child")) == "first"
