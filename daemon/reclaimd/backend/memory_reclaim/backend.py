# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules in, events and counters out: the daemon itself looks at cgroups and reclaims from them."""

import errno
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from mmap import PAGESIZE as PAGE_BYTES

from reclaimd.backend import refusals
from reclaimd.backend.base import Ability, Counters, Event, RefusedError
from reclaimd.backend.memory_reclaim.files import Files
from reclaimd.backend.memory_reclaim.governed import Governed, Roster
from reclaimd.backend.memory_reclaim.notices import Notices
from reclaimd.backend.memory_reclaim.outbox import Outbox
from reclaimd.backend.memory_reclaim.plan import Plan, Source, plan, starts
from reclaimd.backend.memory_reclaim.swap import Swap
from reclaimd.backend.memory_reclaim.triggers import open_triggers
from reclaimd.backend.memory_reclaim.watcher import Watcher
from reclaimd.backend.memory_reclaim.workers import Workers
from reclaimd.cgroup.reading import reading_of
from reclaimd.cgroup.tree import UNREACHABLE
from reclaimd.errors import HostError
from reclaimd.policy.rule import Rule

#: What opening a cgroup's memory.reclaim ends in for those who may not.
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)


class MemoryReclaimBackend:
    """Carries rules out from user space, on any kernel that has memory.reclaim.

    All of it ends with the process: nothing is left in the kernel, whatever ends it.

    Args:
        root: where cgroup2 is mounted.
        features: what was looked for on this host, and whether it is there.
        abilities: what this host's memory.reclaim can do, and whether the kernel has PSI.

    Raises:
        HostError: a limit of the kernel's is reached.
    """

    name = "memory.reclaim"

    def __init__(
        self, root: str, features: Mapping[str, bool], abilities: frozenset[Ability], swap: Swap | None = None
    ) -> None:
        self.features = features
        self.abilities = abilities
        self._root = root
        self._outbox = Outbox()
        self._roster = Roster(self._outbox)
        swap = swap or Swap(root)
        takes_swappiness = Ability.SWAPPINESS in abilities
        self._workers = Workers(self._roster, swap, self._outbox, takes_swappiness=takes_swappiness)
        self._notices = Notices(self._roster)
        self._watcher = Watcher(self._roster, self._notices, self._workers, swap, self._outbox)
        self._workers.hand_back = self._watcher.hand
        self._roster.on_leave = self._notices.leave
        self._closed = False

    def may_govern(self, path: str) -> bool:
        """Tell whether this process may write to the memory.reclaim of a cgroup; one that has none is no matter of rights."""
        file = f"{self._root}{path}/memory.reclaim"
        return os.access(file, os.W_OK, effective_ids=True) or not os.path.lexists(file)

    def apply(self, rules: Sequence[Rule]) -> None:
        """Replace all rules by these; what can fail comes before what changes anything.

        Cgroups that have been removed meanwhile are left out, and those that may not be written to.

        Raises:
            HostError: a limit is reached; the rules that were in force still are.
        """
        plans = {rule.cgroup_id: plan(rule) for rule in rules}
        before = {governed.cgroup_id: governed for governed in self._roster.all()}
        kept = [before[cgroup_id] for cgroup_id in before.keys() & plans.keys()]
        changed = [governed for governed in kept if governed.course.plan != plans[governed.cgroup_id]]
        with ExitStack() as undo:
            new = self._open_all([plans[cgroup_id] for cgroup_id in plans.keys() - before.keys()], undo)
            for governed in changed:
                self._prepare(governed.files, plans[governed.cgroup_id])
                self._watch(governed, plans[governed.cgroup_id])
            if plans:
                self._watcher.start()
            undo.pop_all()
        with self._roster.lock:
            for cgroup_id in before.keys() - plans.keys():
                self._roster.remove(before[cgroup_id])
            for governed in new:
                self._roster.add(governed)
            for governed in changed:
                self._change(governed, plans[governed.cgroup_id])
        self._notices.close_dropped()
        for governed in (*new, *changed):
            self._watcher.hand(governed, 0)

    def pollables(self) -> Sequence[int]:
        """The descriptor that is readable when there are events."""
        return () if self._closed else (self._outbox.fileno(),)

    def events(self) -> list[Event]:
        """What happened since the last call; never blocks.

        Raises whatever has ended one of the threads: without them no rule is carried out.
        """
        return [] if self._closed else self._outbox.take()

    def reclaim(self, cgroup_id: int, pages: int) -> None:
        """Begin an episode that ends once it has reclaimed so much, if not before.

        Raises:
            RefusedError: the cgroup has no rule that reclaims, or an episode is under way.
        """
        governed = self._roster.get(cgroup_id)
        if governed is None:
            raise RefusedError(refusals.NO_RULE)
        try:
            usage_pages = governed.files.usage_pages()
        except OSError as error:
            raise RefusedError(refusals.NO_RULE) from error
        with self._roster.lock:
            governed.course.request(pages, usage_pages, time.monotonic_ns())
        self._workers.put(governed)

    def stats(self) -> dict[int, Counters]:
        """The counters of all rules in force, by cgroup id."""
        return {governed.cgroup_id: self._counters(governed) for governed in self._roster.all()}

    def dropped_events(self) -> int:
        """How many events were lost because nobody read them in time."""
        return self._outbox.dropped

    def ungoverned_charges(self) -> int:
        """None that it knew of: it does not see charges."""
        return 0

    def postponed_looks(self) -> int:
        """How often looks had to wait because looking had taken too much CPU time."""
        return self._watcher.postponed

    def detach(self) -> None:
        """Take all rules away, then close."""
        self.close()

    def close(self) -> None:
        """End all threads and close all files; no rule is carried out any more. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._workers.close()
        for governed in self._roster.all():
            with self._roster.lock:
                self._roster.remove(governed)
        self._watcher.close()
        self._notices.close()
        self._outbox.close()

    def _open_all(self, plans: Iterable[Plan], undo: ExitStack) -> list[Governed]:
        """Open cgroups that had no rule, and have the kernel tell of them."""
        new = []
        for of in plans:
            files = self._open(of)
            if files is not None:
                governed = self._roster.new(of, files)
                undo.callback(self._notices.leave, governed)
                self._watch(governed, of)
                self._add_triggers(governed)
                new.append(governed)
        return new

    def _open(self, of: Plan) -> Files | None:
        rule = of.rule
        files = Files.open(f"{self._root}{rule.path}", rule.cgroup_id)
        return files if files is not None and self._prepare(files, of) else None

    def _prepare(self, files: Files, of: Plan) -> bool:
        """Open what the plan takes; whether that was possible."""
        if of.reclaim is None:
            return True
        try:
            files.prepare(of.start_sources | of.stop_sources)
        except OSError as error:
            if error.errno not in (*_DENIED, *UNREACHABLE):
                raise HostError(f"cannot govern cgroup {of.rule.path}: {error.strerror}") from error
            return False
        return True

    def _watch(self, governed: Governed, to: Plan) -> None:
        if to.reclaim is not None:
            self._notices.watch(governed)

    def _add_triggers(self, governed: Governed) -> None:
        """Have the kernel tell of the pressure that start waits for."""
        of = governed.course.plan
        governed.told_by_kernel = False
        if of.reclaim is None or Source.PRESSURE not in of.start_sources:
            return
        conditions = of.reclaim.start.conditions
        triggers = open_triggers(governed.files.directory_fd, conditions)
        self._notices.add_triggers(governed, triggers)
        exact = {trigger.place for trigger in triggers if trigger.exact}
        measured = {place for place, condition in enumerate(conditions) if condition.window_ms}
        governed.told_by_kernel = of.start_sources == Source.PRESSURE and measured <= exact

    def _change(self, governed: Governed, to: Plan) -> None:
        """Go on with another rule; with the roster's lock held."""
        former = governed.course.plan
        if governed.removed:
            return
        governed.course.adopt(to, time.monotonic_ns())
        if starts(former) != starts(to):
            self._notices.drop_triggers(governed)
            self._add_triggers(governed)

    def _counters(self, governed: Governed) -> Counters:
        reading = reading_of(governed.files.directory_fd)
        if reading is not None:
            # As it has been read anyway.
            usage_pages = reading.usage_bytes // PAGE_BYTES
            self._workers.start_if_due(governed, usage_pages, time.monotonic_ns())
        with self._roster.lock:
            return governed.course.tally.counters(reading)
