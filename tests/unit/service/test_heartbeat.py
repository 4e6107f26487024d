# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a loop turns, as seen from another thread."""

import select
import threading
from collections.abc import Iterator

import pytest

from reclaimd.service.heartbeat import Heartbeat

TIMEOUT_S = 10.0


@pytest.fixture
def heartbeat() -> Iterator[Heartbeat]:
    """One that nobody beats."""
    heartbeat = Heartbeat()
    yield heartbeat
    heartbeat.close()


def test_a_loop_that_turns_answers(heartbeat: Heartbeat) -> None:
    def turn() -> None:
        poll = select.poll()
        poll.register(heartbeat.fileno(), select.POLLIN)
        assert poll.poll(TIMEOUT_S * 1000)
        heartbeat.beat()

    loop = threading.Thread(target=turn)
    loop.start()
    assert heartbeat.comes_within(TIMEOUT_S)
    loop.join()


def test_a_loop_that_hangs_does_not(heartbeat: Heartbeat) -> None:
    assert not heartbeat.comes_within(0.01)


def test_a_beat_of_before_does_not_count(heartbeat: Heartbeat) -> None:
    heartbeat.beat()
    assert not heartbeat.comes_within(0.01)


def test_a_beat_without_a_question_does_not_block(heartbeat: Heartbeat) -> None:
    heartbeat.beat()
    heartbeat.beat()


def test_nothing_beats_after_the_end() -> None:
    heartbeat = Heartbeat()
    heartbeat.close()
    assert not heartbeat.comes_within(TIMEOUT_S)
