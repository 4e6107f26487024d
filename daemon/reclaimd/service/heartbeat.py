# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the loop turns, asked from other threads."""

import os
import threading
from contextlib import suppress


class Heartbeat:
    """The loop polls fileno() and beats once a turn; whoever asks wakes it and waits for its next turn."""

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._beat = threading.Condition()
        self._beats = 0
        self._closed = False

    def fileno(self) -> int:
        """Return the fd that is readable when somebody asks."""
        return self._fd

    def beat(self) -> None:
        """Say that the loop turns; for the loop alone."""
        with suppress(BlockingIOError):
            os.eventfd_read(self._fd)
        with self._beat:
            self._beats += 1
            self._beat.notify_all()

    def comes_within(self, limit_s: float) -> bool:
        """Wake the loop; tell whether it turns within so many seconds."""
        with self._beat:
            if self._closed:
                return False
            before = self._beats
            os.eventfd_write(self._fd, 1)
            return self._beat.wait_for(lambda: self._beats > before, limit_s)

    def close(self) -> None:
        """End; from now on no beat comes."""
        with self._beat:
            self._closed = True
            os.close(self._fd)
