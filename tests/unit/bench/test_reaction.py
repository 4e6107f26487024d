# SPDX-License-Identifier: GPL-2.0-or-later
from reclaimd.bench.reaction import BOUNDS_US, reaction


def test_percentiles_are_reactions_that_were() -> None:
    told = reaction([*range(1, 100), 5000])
    assert (told.count, told.p50_us, told.p99_us) == (100, 50, 99)


def test_buckets_count_what_took_no_longer_and_the_last_one_all() -> None:
    told = reaction([100, 101, 10**9])
    assert dict(told.buckets)[100] == 1
    assert dict(told.buckets)[200] == 2
    assert told.buckets[-1] == (None, 3)


def test_the_bounds_of_the_mark_are_bounds_of_buckets() -> None:
    assert {100, 1000} <= set(BOUNDS_US)


def test_without_reactions_nothing_is_known() -> None:
    told = reaction([])
    assert (told.count, told.p50_us, told.p99_us) == (0, None, None)


def test_every_reaction_is_kept() -> None:
    assert reaction([30, 10]).samples_us == [10, 30]
