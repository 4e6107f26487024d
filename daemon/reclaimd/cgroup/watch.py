# SPDX-License-Identifier: GPL-2.0-or-later
"""Tells when cgroups come and go, without looking at the tree again and again."""

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from reclaimd.cgroup.inotify import (
    IN_CREATE,
    IN_DELETE,
    IN_ISDIR,
    IN_ONLYDIR,
    IN_Q_OVERFLOW,
    Inotify,
    InotifyEvent,
    cannot_watch,
)
from reclaimd.cgroup.tree import UNREACHABLE, children_of, directory

_WHAT = "the cgroup tree"


class Interest(Protocol):
    """Which cgroups matter; reclaimd.policy.match has it for a configuration."""

    def matches(self, path: str) -> bool:
        """Tell whether this cgroup matters."""

    def could_match_below(self, path: str) -> bool:
        """Tell whether a cgroup below this one could matter."""


class ChangeKind(StrEnum):
    """What happened: `lost` is that the kernel had more to tell than it could keep."""

    CREATED = "created"
    REMOVED = "removed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Change:
    """Something happened to a cgroup; after `lost`, whose path is /, the tree has to be walked again."""

    kind: ChangeKind
    path: str


class TreeWatch:
    """Watches every cgroup that could hold one of interest.

    A cgroup of interest that is created after the constructor has returned is always reported, as is one
    that is removed: walk the tree after making the watch, and nothing is missed. One that is
    created while its parent is being added to the watch can be reported twice.

    Args:
        root: where cgroup2 is mounted.
        interest: which cgroups matter.

    Raises:
        HostError: a limit of the kernel's is reached, and something may go unseen; from the constructor
            and from read(). The next read() walks the tree again.
    """

    def __init__(self, root: Path, interest: Interest) -> None:
        self._root = root
        self._interest = interest
        self._paths: dict[int, str] = {}
        self._watches: dict[str, int] = {}
        self._complete = True
        self._inotify = _new_inotify()
        try:
            self._watch_from("/")
        except BaseException:
            self._inotify.close()
            raise

    def fileno(self) -> int:
        """Return a file descriptor that is readable when read() has something to return."""
        return self._inotify.fileno()

    def read(self) -> list[Change]:
        """Return what has happened, in order; never blocks."""
        events = self._inotify.read()
        if not self._complete or any(event.mask & IN_Q_OVERFLOW for event in events):
            self._start_again()
            return [Change(ChangeKind.LOST, "/")]
        self._complete = False
        changes = [change for event in events for change in self._changes(event)]
        self._complete = True
        return changes

    def close(self) -> None:
        """End the watch."""
        self._inotify.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _changes(self, event: InotifyEvent) -> Iterable[Change]:
        above = self._paths.get(event.watch)
        # A watch that is no longer ours, or the file of a watched directory.
        if above is None or not event.mask & IN_ISDIR:
            return ()
        path = f"{above.rstrip('/')}/{event.name}"
        if event.mask & IN_CREATE:
            return [Change(ChangeKind.CREATED, found) for found in self._watch_from(path)]
        self._forget(path)
        return [Change(ChangeKind.REMOVED, path)] if self._interest.matches(path) else ()

    def _watch_from(self, path: str) -> list[str]:
        """Watch a cgroup and what is below it, as far as that could matter; return those of interest."""
        matching: list[str] = []
        waiting = [path]
        while waiting:
            at = waiting.pop()
            if self._interest.matches(at):
                matching.append(at)
            if self._interest.could_match_below(at) and self._watch(at):
                # Read only now: what is created from here on raises an event.
                waiting += [child.path for child in children_of(self._root, at)]
        return matching

    def _watch(self, path: str) -> bool:
        """Watch one cgroup; return False if it has gone."""
        name = os.fsencode(directory(self._root, path))
        try:
            watch = self._inotify.add(name, IN_CREATE | IN_DELETE | IN_ONLYDIR)
        except OSError as error:
            if error.errno in UNREACHABLE:
                return False
            raise cannot_watch(_WHAT, error) from error
        if self._watches.get(path, watch) != watch:
            # The path was taken over by another cgroup before the removal of the first was read.
            self._forget(path)
        self._paths[watch] = path
        self._watches[path] = watch
        return True

    def _forget(self, path: str) -> None:
        # Kernels differ in whether removing a cgroup ends the watch on it: kernfs keeps the inode.
        watch = self._watches.pop(path, None)
        if watch is not None:
            del self._paths[watch]
            self._remove(watch)

    def _remove(self, watch: int) -> None:
        try:
            self._inotify.remove(watch)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise

    def _start_again(self) -> None:
        self._complete = False
        for watch in self._paths:
            self._remove(watch)
        self._paths.clear()
        self._watches.clear()
        # With no watch left this ends, however much goes on in the tree.
        while self._inotify.read():
            pass
        self._watch_from("/")
        self._complete = True


def _new_inotify() -> Inotify:
    try:
        return Inotify()
    except OSError as error:
        raise cannot_watch(_WHAT, error) from error
