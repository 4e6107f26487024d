# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines of one kind in one interval are bounded, and what is left out is counted."""

from reclaimd.service.burst import INTERVAL_S, MAX_LINES, Bursts


def admitted(bursts: Bursts, kind: str, number: int, now_s: float) -> int:
    """Return how many of so many lines are let through."""
    return sum(bursts.admit(kind, now_s) for _ in range(number))


def test_lines_are_let_through_up_to_the_limit() -> None:
    bursts = Bursts()
    assert admitted(bursts, "episode", MAX_LINES + 5, 0) == MAX_LINES
    assert admitted(bursts, "protected", 5, 0) == 5


def test_another_interval_has_room_again() -> None:
    bursts = Bursts()
    admitted(bursts, "episode", MAX_LINES, 0)
    assert admitted(bursts, "episode", 5, INTERVAL_S) == 5


def test_what_is_left_out_is_told_once_when_its_interval_is_over() -> None:
    bursts = Bursts()
    admitted(bursts, "episode", MAX_LINES + 5, 0)
    assert bursts.take_left_out(INTERVAL_S / 2) == {}
    assert bursts.wait_s(INTERVAL_S / 2) == INTERVAL_S / 2
    assert bursts.take_left_out(INTERVAL_S) == {"episode": 5}
    assert bursts.take_left_out(INTERVAL_S) == {}
    assert bursts.wait_s(INTERVAL_S) is None


def test_a_burst_that_goes_on_stays_cut_until_it_is_told() -> None:
    bursts = Bursts()
    admitted(bursts, "episode", MAX_LINES + 5, 0)
    assert admitted(bursts, "episode", 3, INTERVAL_S + 1) == 0
    assert bursts.take_left_out(INTERVAL_S + 1) == {"episode": 8}
    assert admitted(bursts, "episode", 3, INTERVAL_S + 1) == 3
