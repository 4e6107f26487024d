# SPDX-License-Identifier: GPL-2.0-or-later

from reclaimd.service.control.history import MAX_KEPT, History
from reclaimd.service.ledger import Name
from tests.unit.service.memory_backend import episode


def filled(number: int) -> History:
    history = History()
    for at in range(number):
        history.add(episode(at), Name(f"/batch/{at % 2}", "batch"))
    return history


def numbers(history: History, since: int, limit: int = MAX_KEPT) -> list[int]:
    return [happened.number for happened in history.since(since, limit)]


def test_events_are_numbered_from_0() -> None:
    assert numbers(filled(3), 0) == [0, 1, 2]


def test_events_since_a_number_come_oldest_first() -> None:
    assert numbers(filled(5), 3) == [3, 4]


def test_as_many_as_wanted_come_oldest_first() -> None:
    assert numbers(filled(5), 1, limit=2) == [1, 2]


def test_there_is_nothing_since_what_comes_next() -> None:
    history = filled(5)
    assert numbers(history, history.next_number) == []


def test_the_oldest_goes_where_there_is_no_room() -> None:
    history = filled(MAX_KEPT + 2)
    assert numbers(history, 0, limit=2) == [2, 3]
    assert history.next_number == MAX_KEPT + 2


def test_the_last_events_about_a_cgroup_are_found() -> None:
    assert [happened.number for happened in filled(7).of("/batch/1", 2)] == [3, 5]
