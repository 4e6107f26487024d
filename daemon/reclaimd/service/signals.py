# SPDX-License-Identifier: GPL-2.0-or-later
"""Signals as something to wait for: a file descriptor that becomes readable."""

import os
import signal
from types import FrameType, TracebackType
from typing import Self

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
RELOAD_SIGNAL = signal.SIGHUP
READ_SIZE = 512


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: a Python handler has to be there for the wakeup fd to be written."""


class SignalFd:
    """Turns STOP_SIGNALS and RELOAD_SIGNAL into readability of fileno(), from __enter__ to __exit__; main thread only."""

    def __init__(self) -> None:
        self._read_fd, self._write_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def __enter__(self) -> Self:
        self._old_fd = signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        self._old_handlers = [
            (number, signal.signal(number, _ignore)) for number in (*STOP_SIGNALS, RELOAD_SIGNAL)
        ]
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._old_handlers:
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_fd)
        os.close(self._read_fd)
        os.close(self._write_fd)

    def fileno(self) -> int:
        """Return the fd that is readable once a signal has come."""
        return self._read_fd

    def received(self) -> list[signal.Signals]:
        """Return the signals that came since the last call, oldest first; never blocks."""
        try:
            return [signal.Signals(number) for number in os.read(self._read_fd, READ_SIZE)]
        except BlockingIOError:
            return []
