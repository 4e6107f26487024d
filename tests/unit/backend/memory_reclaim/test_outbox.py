# SPDX-License-Identifier: GPL-2.0-or-later

import select
from collections.abc import Iterator
from contextlib import closing

import pytest

from reclaimd.backend.base import CgroupGone
from reclaimd.backend.memory_reclaim.outbox import Outbox


@pytest.fixture
def outbox() -> Iterator[Outbox]:
    with closing(Outbox(max_events=3)) as outbox:
        yield outbox


def _is_readable(outbox: Outbox) -> bool:
    return bool(select.select([outbox], [], [], 0)[0])


def test_events_come_in_order_and_once(outbox: Outbox) -> None:
    assert not _is_readable(outbox)
    outbox.put(CgroupGone(1))
    outbox.put(CgroupGone(2))
    assert _is_readable(outbox)
    assert outbox.take() == [CgroupGone(1), CgroupGone(2)]
    assert outbox.take() == []
    assert not _is_readable(outbox)


def test_what_there_is_no_room_for_is_counted(outbox: Outbox) -> None:
    for number in range(5):
        outbox.put(CgroupGone(number))
    assert outbox.take() == [CgroupGone(0), CgroupGone(1), CgroupGone(2)]
    assert outbox.dropped == 2
    outbox.put(CgroupGone(5))
    assert outbox.take() == [CgroupGone(5)]


def test_a_failure_is_raised_where_events_are_taken(outbox: Outbox) -> None:
    outbox.fail(ZeroDivisionError())
    assert _is_readable(outbox)
    with pytest.raises(ZeroDivisionError):
        outbox.take()
