# SPDX-License-Identifier: GPL-2.0-or-later
"""The cgroups that policies are about, kept up to date by what changes and not by reading the tree again."""

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from reclaimd.cgroup.facts import CgroupFacts, read_facts
from reclaimd.cgroup.tree import paths_above, walk
from reclaimd.cgroup.watch import Change, ChangeKind, TreeWatch
from reclaimd.policy.match import Interest
from reclaimd.service.limits import LimitWatch


class Census:
    """Knows every cgroup of interest, and those that they are in, whose limits hold for them too.

    Args:
        root: where cgroup2 is mounted.
        interest: which cgroups matter.

    Raises:
        HostError: the tree cannot be watched.
    """

    def __init__(self, root: Path, interest: Interest) -> None:
        self._root = root
        self._interest = interest
        self._facts: dict[str, CgroupFacts] = {}
        # How many cgroups of interest there are in each of those above them.
        self._below: Counter[str] = Counter()
        self._of_interest: set[str] = set()
        self._complete = False
        with ExitStack() as stack:
            # From here on nothing is missed: the watches are there before the tree is first read.
            self._tree = stack.enter_context(TreeWatch(root, interest))
            self._limits = stack.enter_context(LimitWatch(root))
            self._watches = stack.pop_all()

    def pollables(self) -> tuple[int, ...]:
        """Return the fds that are readable when update() has something to do."""
        return self._tree.fileno(), self._limits.fileno()

    def update(self) -> bool:
        """Take in what has happened, and return whether anything has; never blocks.

        Raises:
            HostError: the tree cannot be read or watched; the next call reads all of it.
        """
        was_complete = self._complete
        self._complete = False
        written, changes = self._limits.read(), self._tree.read()
        if not was_complete or any(change.kind is ChangeKind.LOST for change in changes):
            self._start_again()
        for change in changes:
            self._take(change)
        for path in written:
            if path in self._of_interest or path in self._below:
                self._read(path)
        self._complete = True
        return bool(changes or written) or not was_complete

    def cgroups(self) -> list[CgroupFacts]:
        """Return what is known, by path, so that parents come before their children."""
        return [facts for _, facts in sorted(self._facts.items())]

    def close(self) -> None:
        """End the watches."""
        self._watches.close()

    def _start_again(self) -> None:
        for path in list(self._facts):
            self._limits.forget(path)
        self._facts.clear()
        self._below.clear()
        self._of_interest.clear()
        for cgroup in walk(self._root, self._interest.could_match_below):
            if self._interest.matches(cgroup.path):
                self._add(cgroup.path)

    def _take(self, change: Change) -> None:
        if change.kind is ChangeKind.CREATED:
            self._add(change.path)
        elif change.kind is ChangeKind.REMOVED:
            self._remove(change.path)

    def _add(self, path: str) -> None:
        self._read(path)
        if path in self._of_interest:
            return
        self._of_interest.add(path)
        for above in paths_above(path):
            self._below[above] += 1
            if above not in self._facts:
                self._read(above)

    def _remove(self, path: str) -> None:
        if path not in self._of_interest:
            return
        self._of_interest.discard(path)
        self._forget(path)
        for above in paths_above(path):
            self._below[above] -= 1
            if not self._below[above]:
                del self._below[above]
                if above not in self._of_interest:
                    self._forget(above)

    def _read(self, path: str) -> None:
        """Read a cgroup anew; it may have gone, in which case its removal is yet to be told."""
        self._limits.follow(path)
        if facts := read_facts(self._root, path):
            self._facts[path] = facts
        else:
            self._facts.pop(path, None)

    def _forget(self, path: str) -> None:
        self._limits.forget(path)
        self._facts.pop(path, None)
