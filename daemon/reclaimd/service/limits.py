# SPDX-License-Identifier: GPL-2.0-or-later
"""Tells when a limit that rules were resolved from may have changed."""

from collections.abc import Iterable
from contextlib import suppress
from os import fsencode
from pathlib import Path
from types import TracebackType
from typing import Self

from reclaimd.cgroup.inotify import IN_Q_OVERFLOW, Inotify
from reclaimd.cgroup.tree import UNREACHABLE, directory
from reclaimd.errors import HostError

#: Something was written to the file (uapi/linux/inotify.h).
IN_MODIFY = 0x00000002


class LimitWatch:
    """Watches what is written to memory.max and memory.high of cgroups, and to what decides whether they have one.

    A cgroup is made first and limited afterwards, so its limit is news to those who saw it being made.
    Only writes count: nothing else changes these files.

    Args:
        root: where cgroup2 is mounted.

    Raises:
        HostError: the kernel's limit on inotify instances is reached.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._watches: dict[Path, int] = {}
        try:
            self._inotify = Inotify()
        except OSError as error:
            raise _limit_reached(error, "max_user_instances") from error

    def fileno(self) -> int:
        """Return a file descriptor that is readable when something was written."""
        return self._inotify.fileno()

    def follow(self, paths: Iterable[str]) -> None:
        """Watch the limits of these cgroups and of no others.

        Read the limits after this, and no change is missed.

        Raises:
            HostError: the kernel's limit on watches is reached.
        """
        wanted = {file for path in paths for file in _files(self._root, path)}
        for file in self._watches.keys() - wanted:
            self._drop(self._watches.pop(file))
        # The files of before too: another cgroup may have taken the path over.
        for file in wanted:
            self._add(file)

    def read(self) -> bool:
        """Tell whether something was written since the last call; never blocks."""
        written = False
        while events := self._inotify.read():
            written |= any(event.mask & (IN_MODIFY | IN_Q_OVERFLOW) for event in events)
        return written

    def close(self) -> None:
        """End the watch."""
        self._inotify.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _add(self, file: Path) -> None:
        before = self._watches.pop(file, None)
        try:
            self._watches[file] = self._inotify.add(fsencode(file), IN_MODIFY)
        except OSError as error:
            if error.errno not in UNREACHABLE:
                raise _limit_reached(error, "max_user_watches") from error
        if before is not None and before != self._watches.get(file):
            self._drop(before)

    def _drop(self, watch: int) -> None:
        # The watch of a file that has gone may have ended by itself (EINVAL).
        with suppress(OSError):
            self._inotify.remove(watch)


def _files(root: Path, path: str) -> tuple[Path, ...]:
    cgroup = directory(root, path)
    return cgroup / "memory.max", cgroup / "memory.high", cgroup.parent / "cgroup.subtree_control"


def _limit_reached(error: OSError, limit: str) -> HostError:
    return HostError(
        f"cannot watch the limits of cgroups: {error.strerror}", hint=f"raise the sysctl fs.inotify.{limit}"
    )
