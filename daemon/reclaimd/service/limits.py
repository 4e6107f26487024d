# SPDX-License-Identifier: GPL-2.0-or-later
"""Tells of which cgroups a limit that rules were resolved from may have changed."""

from contextlib import suppress
from os import fsencode
from pathlib import Path
from types import TracebackType
from typing import Self

from reclaimd.cgroup.inotify import IN_MODIFY, IN_Q_OVERFLOW, Inotify, cannot_watch
from reclaimd.cgroup.tree import UNREACHABLE

_WHAT = "the limits of cgroups"


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
        self._root = str(root)
        # Which cgroups a file is about: one, but for cgroup.subtree_control.
        self._about: dict[str, set[str]] = {}
        self._watches: dict[str, int] = {}
        self._files: dict[int, str] = {}
        try:
            self._inotify = Inotify()
        except OSError as error:
            raise cannot_watch(_WHAT, error) from error

    def fileno(self) -> int:
        """Return a file descriptor that is readable when something was written."""
        return self._inotify.fileno()

    def follow(self, path: str) -> None:
        """Watch the limits of a cgroup; once more if another has taken over its path.

        Read the limits after this, and no change is missed.

        Raises:
            HostError: the kernel's limit on watches is reached.
        """
        for file in self._files_of(path):
            self._about.setdefault(file, set()).add(path)
            self._watch(file)

    def forget(self, path: str) -> None:
        """Watch the limits of a cgroup no longer."""
        for file in self._files_of(path):
            about = self._about.get(file, set())
            about.discard(path)
            if not about:
                self._about.pop(file, None)
                self._drop(self._watches.pop(file, None))

    def read(self) -> set[str]:
        """Return the cgroups of which something was written since the last call; never blocks."""
        paths: set[str] = set()
        while events := self._inotify.read():
            for event in events:
                if event.mask & IN_Q_OVERFLOW:
                    paths.update(*self._about.values())
                elif event.mask & IN_MODIFY and (file := self._files.get(event.watch)):
                    paths |= self._about[file]
        return paths

    def close(self) -> None:
        """End the watch."""
        self._inotify.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _files_of(self, path: str) -> tuple[str, str, str]:
        cgroup = self._root + path
        parent = cgroup.rpartition("/")[0]
        return f"{cgroup}/memory.max", f"{cgroup}/memory.high", f"{parent}/cgroup.subtree_control"

    def _watch(self, file: str) -> None:
        before = self._watches.pop(file, None)
        try:
            watch = self._inotify.add(fsencode(file), IN_MODIFY)
        except OSError as error:
            self._drop(before)
            if error.errno not in UNREACHABLE:
                raise cannot_watch(_WHAT, error) from error
            return
        if watch != before:
            self._drop(before)
        self._watches[file] = watch
        self._files[watch] = file

    def _drop(self, watch: int | None) -> None:
        if watch is None:
            return
        self._files.pop(watch, None)
        # The watch of a file that has gone may have ended by itself (EINVAL).
        with suppress(OSError):
            self._inotify.remove(watch)
