# SPDX-License-Identifier: GPL-2.0-or-later
import math

from tests.bench.reaction import reaction


def test_percentiles_are_the_bounds_of_the_buckets_that_they_fall_into() -> None:
    told = reaction([(16.0, 0), (64.0, 60), (256.0, 98), (1024.0, 99), (math.inf, 100)])
    assert (told.count, told.p50_us, told.p99_us) == (100, 64.0, 1024.0)


def test_a_percentile_beyond_the_last_bound_is_not_known() -> None:
    assert reaction([(16.0, 1), (math.inf, 2)]).p99_us is None


def test_without_reactions_nothing_is_known() -> None:
    told = reaction([(16.0, 0), (math.inf, 0)])
    assert (told.count, told.p50_us, told.p99_us) == (0, None, None)
    assert reaction([]).count == 0


def test_the_bucket_without_a_bound_has_none() -> None:
    assert reaction([(16.0, 1), (math.inf, 2)]).buckets == [(16.0, 1), (None, 2)]
