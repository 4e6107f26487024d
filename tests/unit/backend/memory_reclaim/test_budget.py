# SPDX-License-Identifier: GPL-2.0-or-later

import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from reclaimd.backend.memory_reclaim.budget import Budget
from tests.unit.backend.memory_reclaim.rules import MS, S, between

ANY = between(100, 50)
RATE = replace(ANY, rate_pages_per_s=100)
#: A hundredth of a CPU.
CPU = replace(ANY, cpu_permille=10)


def test_without_a_rate_and_a_share_there_is_no_limit() -> None:
    budget = Budget()
    budget.spend(10**9, 10**12)
    assert budget.pages_left(ANY) == math.inf


def test_what_is_spent_is_gone_until_the_next_second() -> None:
    budget = Budget()
    budget.begin_second(RATE, 5 * S)
    budget.spend(60, 0)
    assert budget.pages_left(RATE) == 40
    budget.begin_second(RATE, 5 * S + 999 * MS)
    assert budget.pages_left(RATE) == 40
    assert budget.wait_ns(5 * S + 999 * MS) == MS
    budget.begin_second(RATE, 6 * S)
    assert budget.pages_left(RATE) == 100


def test_what_a_pass_takes_too_much_the_next_seconds_have_less() -> None:
    budget = Budget()
    budget.begin_second(CPU, 5 * S)
    budget.spend(0, 25 * MS)
    for second, left_ms in ((6, -5), (7, 5)):
        assert budget.pages_left(CPU) == 0
        budget.begin_second(CPU, second * S)
        assert budget.cpu_left_ns(CPU) == left_ms * MS
    assert budget.pages_left(CPU) == math.inf


def test_passes_are_put_off_once_in_a_second() -> None:
    budget = Budget()
    budget.begin_second(RATE, 5 * S)
    assert [budget.hold(), budget.hold()] == [True, False]
    budget.begin_second(RATE, 6 * S)
    assert budget.hold()


@given(st.lists(st.integers(1, 400), min_size=1, max_size=60))
def test_in_the_long_run_no_more_is_spent_than_allowed(passes: list[int]) -> None:
    budget = Budget()
    now_ns = begun_ns = S
    spent = 0
    budget.begin_second(RATE, now_ns)
    for pages in passes:
        while not budget.pages_left(RATE):
            now_ns += budget.wait_ns(now_ns)
            budget.begin_second(RATE, now_ns)
        budget.spend(pages, 0)
        spent += pages
    seconds = (now_ns - begun_ns) / S + 1
    assert spent <= seconds * RATE.rate_pages_per_s + max(passes)
