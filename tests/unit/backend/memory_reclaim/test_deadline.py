# SPDX-License-Identifier: GPL-2.0-or-later

import errno
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from reclaimd.backend.memory_reclaim import deadline

LONG_S = 20.0


def _in_a_thread(do: Callable[[], bool]) -> bool:
    def run() -> bool:
        deadline.prepare_thread()
        try:
            return do()
        finally:
            deadline.release_thread()

    deadline.take_signal()
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(LONG_S)


def _full_pipe() -> tuple[int, int]:
    read_fd, write_fd = os.pipe2(os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(write_fd, bytes(4096))
    os.set_blocking(write_fd, True)
    return read_fd, write_fd


def test_a_write_that_takes_too_long_is_cut_short() -> None:
    read_fd, write_fd = _full_pipe()
    began_s = time.monotonic()
    assert not _in_a_thread(lambda: deadline.write(write_fd, b"1"))
    assert time.monotonic() - began_s < LONG_S / 2
    os.close(read_fd)
    os.close(write_fd)


def test_it_wakes_nobody_else() -> None:
    read_fd, write_fd = _full_pipe()
    wake_fd, wakes_fd = os.pipe2(os.O_NONBLOCK)
    before = signal.set_wakeup_fd(wakes_fd)
    try:
        assert not _in_a_thread(lambda: deadline.write(write_fd, b"1"))
        with pytest.raises(BlockingIOError):
            os.read(wake_fd, 1)
    finally:
        signal.set_wakeup_fd(before)
        for fd in (read_fd, write_fd, wake_fd, wakes_fd):
            os.close(fd)


def test_a_write_in_time_is_none_of_its_business() -> None:
    read_fd, write_fd = os.pipe()
    assert _in_a_thread(lambda: deadline.write(write_fd, b"123"))
    assert os.read(read_fd, 8) == b"123"
    os.close(read_fd)
    os.close(write_fd)


def test_a_thread_that_is_not_prepared_writes_without_a_limit() -> None:
    read_fd, write_fd = os.pipe()
    assert deadline.write(write_fd, b"123")
    os.close(read_fd)
    os.close(write_fd)


def test_less_than_was_asked_for_is_no_error() -> None:
    read_fd, write_fd = _full_pipe()
    os.set_blocking(write_fd, False)
    assert not deadline.write(write_fd, b"1")
    os.close(read_fd)
    os.close(write_fd)


def test_anything_else_is_one() -> None:
    with pytest.raises(OSError, match="Bad file descriptor") as error:
        deadline.write(-1, b"1")
    assert error.value.errno == errno.EBADF


def test_other_signals_are_left_to_the_main_thread() -> None:
    masks: list[set[int]] = []

    def note() -> bool:
        masks.append({int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())})
        return True

    _in_a_thread(note)
    assert signal.SIGTERM in masks[0]
    assert deadline.SIGNAL not in masks[0]
    assert threading.current_thread() is threading.main_thread()
