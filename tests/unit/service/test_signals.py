# SPDX-License-Identifier: GPL-2.0-or-later
"""Signals become readability of an fd, and are given back afterwards."""

import os
import select
import signal

import pytest

from reclaimd.service.signals import STOP_SIGNALS, SignalFd

READY_MS = 10_000


def readable(fd: int, timeout_ms: int) -> bool:
    """Tell whether *fd* becomes readable in time."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(timeout_ms))


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_stop_signal_makes_the_fd_readable_and_is_told_by_name(number: signal.Signals) -> None:
    with SignalFd() as signals:
        assert not readable(signals.fileno(), 0)
        os.kill(os.getpid(), number)
        assert readable(signals.fileno(), READY_MS)
        assert signals.received() == [number]
        assert not readable(signals.fileno(), 0)


def test_nothing_received_is_an_empty_list() -> None:
    with SignalFd() as signals:
        assert signals.received() == []


def test_handlers_and_wakeup_fd_are_given_back() -> None:
    before = [signal.getsignal(number) for number in STOP_SIGNALS]
    with SignalFd():
        assert [signal.getsignal(number) for number in STOP_SIGNALS] != before
    assert [signal.getsignal(number) for number in STOP_SIGNALS] == before
    assert signal.set_wakeup_fd(-1) == -1
