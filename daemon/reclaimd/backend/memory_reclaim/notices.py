# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel tells by itself: events in cgroups (inotify on memory.events), and pressure (its triggers)."""

import os
import select
from collections import deque
from contextlib import suppress

from reclaimd.backend.memory_reclaim.governed import Governed, Roster
from reclaimd.backend.memory_reclaim.triggers import Trigger
from reclaimd.cgroup.inotify import (
    IN_DELETE_SELF,
    IN_MODIFY,
    IN_ONESHOT,
    IN_Q_OVERFLOW,
    Inotify,
    cannot_watch,
)

NS_PER_S = 1_000_000_000

_WHAT = "the events of cgroups"


class Notices:
    """Waits for the kernel, and for who wakes the thread that waits.

    All is in one epoll instance, which is in no other: the kernel has one notice of pressure for whoever looks first.

    Args:
        roster: whose cgroups they are.

    Raises:
        HostError: the kernel's limit on inotify instances is reached.
    """

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._inotify = _new_inotify()
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._epoll = select.epoll()
        self._epoll.register(self._wake_fd, select.EPOLLIN)
        self._epoll.register(self._inotify, select.EPOLLIN)
        self._watched: dict[int, Governed] = {}
        self._triggers: dict[int, tuple[Governed, int | None]] = {}
        self._dropped: deque[int] = deque()

    def watch(self, governed: Governed) -> None:
        """Have the next event in a cgroup told; only that, as one that is short of memory has hundreds in a second.

        Raises:
            HostError: the kernel's limit on watches is reached.
        """
        if governed.watch < 0 and (watch := self._watch(governed)) >= 0:
            governed.watch = watch
            self._watched[watch] = governed

    def add_triggers(self, governed: Governed, triggers: list[Trigger]) -> None:
        """Have pressure in a cgroup told."""
        governed.triggers = triggers
        for trigger in triggers:
            with suppress(OSError):  # then it is measured
                self._epoll.register(trigger.fd, select.EPOLLPRI)
                self._triggers[trigger.fd] = governed, trigger.place if trigger.exact else None

    def leave(self, governed: Governed) -> None:
        """Have nothing told of a cgroup any more."""
        self.drop_triggers(governed)
        if self._watched.pop(governed.watch, None) is not None:
            # The watch of a file that has gone may have ended by itself (EINVAL).
            with suppress(OSError):
                self._inotify.remove(governed.watch)
        governed.watch = -1

    def drop_triggers(self, governed: Governed) -> None:
        """Have pressure in a cgroup told no longer."""
        triggers, governed.triggers = governed.triggers, []
        for trigger in triggers:
            self._triggers.pop(trigger.fd, None)
            with suppress(OSError):
                self._epoll.unregister(trigger.fd)
            self._dropped.append(trigger.fd)

    def close_dropped(self) -> None:
        """Close the triggers that were dropped, without the roster's lock: the kernel takes its time for it."""
        while self._dropped:
            with suppress(IndexError):  # another thread has closed the last
                os.close(self._dropped.popleft())

    def wake(self) -> None:
        """End the wait of the thread that waits, or its next one."""
        os.eventfd_write(self._wake_fd, 1)

    def wait(self, timeout_ns: int) -> list[Governed]:
        """Return the cgroups in which something has happened, as soon as it has or the time is over."""
        happened: dict[Governed, None] = {}
        for fd, events in self._epoll.poll(max(timeout_ns, 0) / NS_PER_S):
            if fd == self._wake_fd:
                os.eventfd_read(fd)
            elif fd == self._inotify.fileno():
                happened.update(dict.fromkeys(self._notified()))
            else:
                happened.update(dict.fromkeys(self._pressed(fd, events)))
        return list(happened)

    def close(self) -> None:
        """Close everything; nobody waits any more."""
        self.close_dropped()
        self._epoll.close()
        self._inotify.close()
        os.close(self._wake_fd)

    def _watch(self, governed: Governed) -> int:
        path = f"/proc/self/fd/{governed.files.directory_fd}/memory.events"
        try:
            return self._inotify.add(path.encode(), IN_MODIFY | IN_DELETE_SELF | IN_ONESHOT)
        except FileNotFoundError:
            return -1  # it has gone, which the first look will tell
        except OSError as error:
            raise cannot_watch(_WHAT, error) from error

    def _notified(self) -> list[Governed]:
        events = self._inotify.read()
        if any(event.mask & IN_Q_OVERFLOW for event in events):
            return self._roster.all()
        happened = []
        for event in events:
            # What the kernel says of watches that have ended, it says twice.
            governed = self._watched.pop(event.watch, None)
            if governed is not None:
                governed.watch = -1
                happened.append(governed)
        return happened

    def _pressed(self, fd: int, events: int) -> list[Governed]:
        with self._roster.lock:
            governed, place = self._triggers.get(fd, (None, None))
            if governed is None:
                return []
            if events & select.EPOLLERR:
                # The cgroup has gone; it would be told again and again.
                self._epoll.unregister(fd)
            elif place is not None:
                governed.course.reached(place)
            return [governed]


def _new_inotify() -> Inotify:
    try:
        return Inotify()
    except OSError as error:
        raise cannot_watch(_WHAT, error) from error
