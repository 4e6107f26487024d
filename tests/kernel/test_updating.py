# SPDX-License-Identifier: GPL-2.0-or-later
"""BPF_LINK_UPDATE: other callbacks in place of those that a link has attached."""

import errno
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from reclaimd.kernel.link import BPF_F_ALLOW_OVERRIDE, Link, fill_struct_ops
from tests.kernel.cgroups import Cgroup, Charger
from tests.kernel.hooks import Hook, Hooks

WAIT_MS = 30_000


def update(hooks: Hooks, link: Link, ops: str) -> None:
    """Have the link's cgroups go over to the named ops."""
    fill_struct_ops(hooks.object.map(ops))
    link.update(hooks.object.map(ops).fileno())


@contextmanager
def refused(error: int) -> Iterator[None]:
    with pytest.raises(OSError, match="bpf_link_update") as caught:
        yield
    assert caught.value.errno == error, errno.errorcode[caught.value.errno or 0]


def test_the_cgroup_and_those_below_it_go_over(hooks: Hooks, cgroup: Cgroup) -> None:
    leaf = cgroup.child("leaf")
    with hooks.attached("first", cgroup) as link:
        update(hooks, link, "second")
        assert hooks.ops_of(leaf) == "second"
        assert hooks.ops_of(cgroup.child("later")) == "second"
        assert link.info().map_id == hooks.object.map("second").info().id


def test_an_attachment_below_keeps_its_own(hooks: Hooks, cgroup: Cgroup) -> None:
    leaf = cgroup.child("leaf")
    with (
        hooks.attached("first", cgroup, BPF_F_ALLOW_OVERRIDE) as link,
        hooks.attached("third", leaf),
    ):
        update(hooks, link, "second")
        assert hooks.ops_of(leaf) == "third"
        assert hooks.ops_of(cgroup.child("other")) == "second"


def test_a_detach_afterwards_leaves_nothing(hooks: Hooks, cgroup: Cgroup) -> None:
    with hooks.attached("first", cgroup) as link:
        update(hooks, link, "second")
        link.detach()
        assert hooks.ops_of(cgroup) is None


def test_no_charge_goes_unseen(hooks: Hooks, cgroup: Cgroup) -> None:
    done = threading.Event()

    def swap(link: Link) -> None:
        while not done.is_set():
            update(hooks, link, "second")
            update(hooks, link, "first")

    with hooks.attached("first", cgroup) as link, Charger(cgroup) as charger:
        hooks.forget()
        before_pages = cgroup.usage_pages
        swapping = threading.Thread(target=swap, args=(link,))
        swapping.start()
        charger.anon(16384)
        done.set()
        swapping.join()
        seen = {ops: hooks.record(Hook.CHARGED, cgroup, ops).pages for ops in ("first", "second")}
        freed = sum(hooks.record(Hook.UNCHARGED, cgroup, ops).pages for ops in seen)
        assert sum(seen.values()) - freed == cgroup.usage_pages - before_pages
        assert all(seen.values())


def test_ops_that_may_not_be_overridden_stay_the_same_below(hooks: Hooks, cgroup: Cgroup) -> None:
    leaf = cgroup.child("leaf")
    with hooks.attached("first", leaf) as below, hooks.attached("first", cgroup) as above:
        for link in (below, above):
            with refused(errno.EBUSY):
                update(hooks, link, "second")
        assert hooks.ops_of(leaf) == "first"


def test_a_link_whose_cgroup_has_gone_is_not_updated(hooks: Hooks, cgroup: Cgroup) -> None:
    leaf = cgroup.child("leaf")
    with hooks.attached("first", leaf) as link:
        leaf.remove()
        assert link.wait_detached(WAIT_MS)
        with refused(errno.ENOLINK):
            update(hooks, link, "second")


def test_an_attachment_whose_cgroup_has_been_removed_is_in_nobodys_way(hooks: Hooks, cgroup: Cgroup) -> None:
    leaf = cgroup.child("leaf")
    with hooks.attached("first", leaf) as below, hooks.attached("first", cgroup) as above:
        leaf.remove()
        update(hooks, above, "second")
        assert below.wait_detached(WAIT_MS)
        assert hooks.ops_of(cgroup.child("other")) == "second"
