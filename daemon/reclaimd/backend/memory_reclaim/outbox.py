# SPDX-License-Identifier: GPL-2.0-or-later
"""Events on their way from the threads to the service."""

import os
from collections import deque

from reclaimd.backend.base import Event

MAX_EVENTS = 4096


class Outbox:
    """Keeps events until they are taken, as many as there is room for; any thread may put some in.

    Attributes:
        dropped: how many there was no room for.
    """

    def __init__(self, max_events: int = MAX_EVENTS) -> None:
        self.dropped = 0
        self._max_events = max_events
        self._events: deque[Event] = deque()
        self._failure: BaseException | None = None
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """Return a file descriptor that is readable when there are events."""
        return self._fd

    def put(self, event: Event) -> None:
        """Keep one more."""
        if len(self._events) >= self._max_events:
            self.dropped += 1
            return
        self._events.append(event)
        os.eventfd_write(self._fd, 1)

    def fail(self, error: BaseException) -> None:
        """Have the next take() end with this error, which has ended a thread."""
        self._failure = error
        os.eventfd_write(self._fd, 1)

    def take(self) -> list[Event]:
        """Return what has come since the last call; never blocks."""
        try:
            os.eventfd_read(self._fd)
        except BlockingIOError:
            return []
        if self._failure is not None:
            raise self._failure
        return [self._events.popleft() for _ in range(len(self._events))]

    def close(self) -> None:
        """Keep no more events."""
        self._max_events = 0
        os.close(self._fd)
