# SPDX-License-Identifier: GPL-2.0-or-later
"""The governed cgroups, which the threads share."""

import threading
import time
from collections.abc import Callable

from reclaimd.backend.base import CgroupGone, StopReason
from reclaimd.backend.memory_reclaim.course import Course
from reclaimd.backend.memory_reclaim.files import Files
from reclaimd.backend.memory_reclaim.outbox import Outbox
from reclaimd.backend.memory_reclaim.pace import Pace
from reclaimd.backend.memory_reclaim.plan import Plan
from reclaimd.backend.memory_reclaim.stolen import Stolen
from reclaimd.backend.memory_reclaim.triggers import Trigger


class Governed:
    """One governed cgroup.

    Attributes:
        course: what goes on in it; only to be touched with the roster's lock, but for what is read at a glance.
        files: its files.
        pace: when it is looked at; the watcher's.
        due_ns: when it is next; likewise.
        triggers: those of its start conditions.
        told_by_kernel: all that is measured for start is told by triggers in time.
        watch: the number of the watch for the next event in its memory.events; -1: none.
        removed: it is governed no more.
        stepping: it is with the workers.
        stolen: counts what its passes bring.
        swap_checked_ns, has_swap: whether its anonymous memory has anywhere to go, and when that was looked up.
    """

    __slots__ = (
        "__weakref__",
        "course",
        "due_ns",
        "files",
        "has_swap",
        "pace",
        "removed",
        "stepping",
        "stolen",
        "swap_checked_ns",
        "told_by_kernel",
        "triggers",
        "watch",
    )

    def __init__(self, course: Course, files: Files) -> None:
        self.course = course
        self.files = files
        self.pace = Pace()
        self.due_ns = 0
        self.triggers: list[Trigger] = []
        self.told_by_kernel = False
        self.watch = -1
        self.removed = False
        self.stepping = False
        self.stolen = Stolen()
        self.swap_checked_ns: int | None = None
        self.has_swap = True

    @property
    def cgroup_id(self) -> int:
        """Which cgroup it is."""
        return self.course.plan.rule.cgroup_id

    @property
    def path(self) -> str:
        """Where it was when it was first governed."""
        return self.course.plan.rule.path


class Roster:
    """All that are governed, and the lock for what goes on in them.

    Args:
        outbox: where events go.
        on_leave: is told, with the lock held, of each that is governed no more.

    Attributes:
        lock: to be held for anything but reading; never while something is waited for.
    """

    def __init__(self, outbox: Outbox) -> None:
        self.lock = threading.Lock()
        self.on_leave: Callable[[Governed], None] = lambda _governed: None
        self._outbox = outbox
        self._governed: dict[int, Governed] = {}

    def __len__(self) -> int:
        return len(self._governed)

    def all(self) -> list[Governed]:
        """Return them as they are now."""
        with self.lock:
            return list(self._governed.values())

    def get(self, cgroup_id: int) -> Governed | None:
        """Return one; None if it is not governed."""
        return self._governed.get(cgroup_id)

    def new(self, plan: Plan, files: Files) -> Governed:
        """Make one that is not in it yet."""
        return Governed(Course(plan, self._outbox.put), files)

    def add(self, governed: Governed) -> None:
        """Take one in; with the lock held."""
        self._governed[governed.cgroup_id] = governed

    def remove(self, governed: Governed) -> None:
        """Govern one no more, as its rule was removed; with the lock held."""
        self._leave(governed, StopReason.RULE_REMOVED)

    def gone(self, governed: Governed) -> None:
        """Govern one no more, as it does not exist any more."""
        with self.lock:
            if self._leave(governed, StopReason.GONE):
                self._outbox.put(CgroupGone(governed.cgroup_id))

    def _leave(self, governed: Governed, reason: StopReason) -> bool:
        if governed.removed:
            return False
        governed.removed = True
        del self._governed[governed.cgroup_id]
        try:
            usage_pages = governed.files.usage_pages()
        except OSError:
            usage_pages, reason = 0, StopReason.GONE
        governed.course.end(reason, 0, usage_pages, time.monotonic_ns())
        self.on_leave(governed)
        return True
