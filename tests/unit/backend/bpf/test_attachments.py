# SPDX-License-Identifier: GPL-2.0-or-later
"""Which cgroups are attached to."""

from reclaimd.backend.bpf.attachments import topmost


def test_cgroups_beside_each_other_are_all_topmost() -> None:
    assert topmost({1: "/a", 2: "/b", 3: "/c/d"}) == {1, 2, 3}


def test_a_cgroup_below_another_is_not() -> None:
    assert topmost({1: "/a", 2: "/a/b", 3: "/a/b/c"}) == {1}


def test_levels_in_between_may_be_missing() -> None:
    assert topmost({1: "/a", 2: "/a/b/c/d"}) == {1}


def test_a_name_that_begins_alike_is_not_above() -> None:
    assert topmost({1: "/batch", 2: "/batch2", 3: "/batch.slice"}) == {1, 2, 3}


def test_the_root_is_above_all() -> None:
    assert topmost({1: "/", 2: "/a", 3: "/a/b"}) == {1}


def test_of_nothing_nothing_is_topmost() -> None:
    assert topmost({}) == set()
