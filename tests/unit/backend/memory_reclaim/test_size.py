# SPDX-License-Identifier: GPL-2.0-or-later

import math

from hypothesis import given
from hypothesis import strategies as st

from reclaimd.backend.memory_reclaim.size import MAX_PASS_PAGES, SWAP_CLUSTER_PAGES, WRITE_NS, Size
from tests.unit.backend.memory_reclaim.rules import MS, S

PASS = 256


def fast() -> Size:
    """A size for a cgroup where a pass brings any number of pages in no time."""
    size = Size()
    size.learn(10**9, 1, 1)
    return size


def test_the_first_pass_is_small() -> None:
    assert Size().pages(100_000, 4096, math.inf) < PASS


def test_a_pass_asks_for_a_quarter_of_what_is_to_go() -> None:
    assert fast().pages(8000, PASS, math.inf) == 2000


def test_a_pass_asks_for_as_much_as_the_rule_says_where_a_quarter_is_less() -> None:
    assert fast().pages(600, PASS, math.inf) == PASS


def test_a_pass_asks_for_no_more_than_is_to_go() -> None:
    assert fast().pages(100, PASS, math.inf) == 100


def test_a_pass_asks_for_what_the_rule_says_where_nobody_knows_how_much_is_to_go() -> None:
    assert fast().pages(None, PASS, math.inf) == PASS


def test_no_pass_asks_for_more_than_32_mib() -> None:
    assert fast().pages(10**9, PASS, math.inf) == MAX_PASS_PAGES


def test_a_write_is_as_short_as_former_ones_let_expect() -> None:
    size = Size()
    size.learn(100, 10 * MS, MS)
    assert size.pages(10**6, PASS, math.inf) == 100 * WRITE_NS // (10 * MS)


def test_a_pass_takes_no_more_cpu_time_than_there_is() -> None:
    size = Size()
    size.learn(1000, 10 * MS, 10 * MS)
    assert size.pages(10**6, PASS, 2 * MS) == 200


def test_what_is_slow_now_was_not_fast() -> None:
    size = fast()
    size.learn(100, S, S)
    assert size.pages(10**6, PASS, math.inf) == SWAP_CLUSTER_PAGES


@given(
    st.none() | st.integers(1, 10**9),
    st.integers(1, 4096),
    st.floats(0, 1e9) | st.just(math.inf),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, S), st.integers(0, S)), max_size=8),
)
def test_a_pass_is_never_smaller_than_what_the_kernel_takes_nor_larger_than_it_may_be(
    wanted: int | None, pass_pages: int, cpu_left_ns: float, passes: list[tuple[int, int, int]]
) -> None:
    size = Size()
    for pages, took_ns, cpu_ns in passes:
        size.learn(pages, took_ns, cpu_ns)
    assert SWAP_CLUSTER_PAGES <= size.pages(wanted, pass_pages, cpu_left_ns) <= MAX_PASS_PAGES
