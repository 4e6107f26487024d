# SPDX-License-Identifier: GPL-2.0-or-later

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclaimd.backend.memory_reclaim.pace import MAX_NS, MIN_NS, SAVED_NS, SHARE, Allowance, Pace
from tests.unit.backend.memory_reclaim.rules import MS, S

FAR = 10_000
LOOK_NS = 50_000


def look(pace: Pace, usage_pages: int, now_ns: int, far_pages: int | None = FAR) -> int:
    """Look once; return how long to wait."""
    pace.saw(usage_pages, now_ns)
    return pace.delay_ns(far_pages)


@pytest.mark.parametrize("far", [FAR, None])
def test_what_does_not_change_is_looked_at_ever_less_often(far: int | None) -> None:
    pace, now_ns, delays = Pace(), S, []
    for _ in range(14):
        delays.append(look(pace, 500, now_ns, far))
        now_ns += delays[-1]
    assert delays[1:] == sorted(delays[1:])
    assert delays[-1] == MAX_NS


def test_what_grows_is_looked_at_before_it_is_there() -> None:
    pace = Pace()
    look(pace, 0, S)
    # At 1,000 pages in 10 ms, 8,000 are there in 80.
    assert 40 * MS < look(pace, 1000, S + 10 * MS, 9000) < 80 * MS


def test_what_is_about_to_be_there_is_looked_at_every_millisecond() -> None:
    pace = Pace()
    look(pace, 0, S)
    assert look(pace, FAR - 1, S + 10 * MS) == MIN_NS


def test_how_fast_it_grew_is_remembered_for_a_while() -> None:
    pace = Pace()
    look(pace, 0, S)
    look(pace, 5000, S + 100 * MS)
    soon = look(pace, 5000, S + 200 * MS)
    assert soon < 200 * MS
    assert look(pace, 5000, S + 900 * MS) == pytest.approx(2 * soon, rel=0.01)
    assert look(pace, 5000, 21 * S) == MAX_NS


def test_what_begins_an_episode_is_remembered_after_it() -> None:
    pace = Pace()
    pace.saw(5000, S)
    pace.saw(FAR, S + 10 * MS)
    pace.grew(10, 20 * MS)
    assert look(pace, 9000, S + 30 * MS) < 2 * MS


def test_what_was_charged_during_an_episode_counts() -> None:
    pace = Pace()
    pace.grew(1000, 10 * MS)
    assert look(pace, 9000, S) < 10 * MS


def test_usage_that_an_episode_has_brought_down_has_not_grown() -> None:
    pace = Pace()
    pace.saw(9000, S)
    pace.grew(-5, 10 * MS)
    assert look(pace, 500, 2 * S) == 2 * MIN_NS


def test_after_an_event_it_is_looked_at_closely() -> None:
    pace = Pace()
    for number in range(20):
        look(pace, 500, number * S)
    pace.hurry()
    assert look(pace, 500, 30 * S) == 2 * MIN_NS


@given(st.lists(st.tuples(st.integers(0, 2 * FAR), st.integers(1, 10 * S)), max_size=50))
def test_delays_have_bounds(looks: list[tuple[int, int]]) -> None:
    pace, now_ns = Pace(), 0
    for usage_pages, passed_ns in looks:
        now_ns += passed_ns
        assert MIN_NS <= look(pace, usage_pages, now_ns) <= MAX_NS


@given(st.integers(1, 100 * S // LOOK_NS), st.integers(1, 2000))
def test_steady_growth_is_seen_in_time(rate_pages_per_s: int, seconds_before: int) -> None:
    pace, now_ns = Pace(), seconds_before * S
    began_ns = now_ns
    for _ in range(200):
        usage = rate_pages_per_s * (now_ns - began_ns) // S
        if usage >= FAR:
            break
        now_ns += look(pace, usage, now_ns)
        # Once it is seen to grow, a hundredth too late at most, and what grows in the shortest time between looks.
        if usage:
            assert rate_pages_per_s * (now_ns - began_ns) / S <= 1.01 * FAR + rate_pages_per_s * MIN_NS / S


def test_looking_waits_when_it_has_taken_more_than_its_share() -> None:
    allowance = Allowance()
    allowance.spend(100 * S, 0)
    saved_ns = SAVED_NS * SHARE
    assert allowance.spend(100 * S, int(saved_ns) - MS) == 0
    assert allowance.spend(100 * S, int(saved_ns) + MS) == int(MS / SHARE)
    assert allowance.postponed == 1


def test_more_cgroups_may_take_more() -> None:
    allowance = Allowance()
    allowance.cgroups = 1000
    allowance.spend(100 * S, 0)
    assert allowance.spend(100 * S, int(10 * SAVED_NS * SHARE)) == 0


def test_in_the_long_run_looking_takes_its_share_at_most() -> None:
    allowance = Allowance()
    now_ns = 100 * S
    cpu_ns = int(SAVED_NS * SHARE)
    allowance.spend(now_ns, 0)
    begun_ns, begun_cpu_ns = now_ns, cpu_ns
    for _ in range(20_000):
        now_ns += MIN_NS + allowance.spend(now_ns, cpu_ns)
        cpu_ns += LOOK_NS
    assert (cpu_ns - begun_cpu_ns) / (now_ns - begun_ns) <= SHARE * 1.1
