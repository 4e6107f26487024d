# SPDX-License-Identifier: GPL-2.0-or-later
"""The service manager: what systemd is told of the daemon's state, and the watchdog it keeps (sd_notify(3))."""

import os
import time
from collections.abc import Callable, Mapping
from typing import Self

from reclaimd.errors import HostError

US_PER_S = 1_000_000
NS_PER_US = 1_000
#: What changes all the time is told so often at most: a message can wait for its reader.
STATUS_EVERY_S = 1.0

#: Takes the lines of one message.
Notify = Callable[[str], object]


class ServiceManager:
    """Tells the service manager what it is to know; without one, nothing.

    Args:
        notify: sends a message; None if nobody wants to know.
        watchdog_s: the longest time between two signs of life, or None if nobody waits for one.
    """

    def __init__(self, notify: Notify | None = None, watchdog_s: float | None = None) -> None:
        self._notify = notify
        # Half of it, as sd_watchdog_enabled(3) recommends.
        self._alive_every_s = watchdog_s / 2 if notify and watchdog_s else None
        self._alive_at_s = time.monotonic()
        self._status = ""
        self._status_at_s = 0.0
        self._status_waits = False

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """The one that has started this process, going by NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.

        Raises:
            HostError: there is one that waits to be told, and nothing here to tell it with.
        """
        if not environment.get("NOTIFY_SOCKET"):
            return cls()
        try:
            from systemd.daemon import notify  # noqa: PLC0415  optional: not everyone runs systemd
        except ImportError as error:
            raise HostError(
                "the service manager waits to be notified, and Python's module systemd is not installed",
                hint="install python3-systemd, or the extra reclaimd[systemd]",
            ) from error
        return cls(notify, _watchdog_s(environment))

    def ready(self, status: str) -> None:
        """Say that the daemon does what it is for, after its start or a reload."""
        self._send("READY=1", self._status_line(status))

    def status(self, status: str) -> None:
        """Say what it does, if that has changed; if something was said just now, when wait_s() is over."""
        self._status_waits = status != self._status
        if self._status_waits and time.monotonic() - self._status_at_s >= STATUS_EVERY_S:
            self._send(self._status_line(status))

    def reloading(self) -> None:
        """Say that the configuration is being loaded anew; ready() is to follow, whatever comes of it."""
        monotonic_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // NS_PER_US
        self._send("RELOADING=1", f"MONOTONIC_USEC={monotonic_us}")

    def stopping(self) -> None:
        """Say that the daemon is about to end."""
        self._send("STOPPING=1")

    def wait_s(self) -> float | None:
        """How long until status() or keep_alive() has something to say; None if neither has."""
        if self._notify is None:
            return None
        due_s = [self._status_at_s + STATUS_EVERY_S] if self._status_waits else []
        if self._alive_every_s is not None:
            due_s.append(self._alive_at_s + self._alive_every_s)
        return max(0.0, min(due_s) - time.monotonic()) if due_s else None

    def keep_alive(self) -> None:
        """Give a sign of life if one is due. To be called by what would not be alive if it hung."""
        now_s = time.monotonic()
        if self._alive_every_s is not None and now_s - self._alive_at_s >= self._alive_every_s:
            self._alive_at_s = now_s
            self._send("WATCHDOG=1")

    def _status_line(self, status: str) -> str:
        self._status, self._status_at_s, self._status_waits = status, time.monotonic(), False
        return f"STATUS={status}"

    def _send(self, *lines: str) -> None:
        if self._notify:
            self._notify("\n".join(lines))


def _watchdog_s(environment: Mapping[str, str]) -> float | None:
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = environment.get("WATCHDOG_USEC", "")
    return int(microseconds) / US_PER_S if microseconds.isdecimal() else None
