# SPDX-License-Identifier: GPL-2.0-or-later
"""Cgroups that need no look, as the whole machine has not allocated what it takes to get one of them far."""

import os
import re
from collections.abc import Callable
from math import inf
from pathlib import Path
from weakref import WeakKeyDictionary

from reclaimd.backend.memory_reclaim.governed import Governed
from reclaimd.backend.memory_reclaim.pace import MAX_NS, NS_PER_S

#: They are looked at all the same after so long, or up to twice as long, so that it is not all of them at once: objects of
#: slabs that are there already, and huge pages of a pool, are charged without an allocation.
STILL_NS = 60 * NS_PER_S
#: What CPUs charge in advance, at most: NR_MEMCG_STOCK times MEMCG_CHARGE_BATCH of mm/memcontrol.c.
STOCK_PAGES = 7 * 64 * (os.cpu_count() or 1)

_PARTS = 4
_VMSTAT = Path("/proc/vmstat")
_ALLOCATED = re.compile(rb"^pgalloc_\w+ (\d+)$", re.MULTILINE)


def allocated_pages(vmstat: Path = _VMSTAT) -> int | None:
    """Return how many pages the kernel has handed out since it was booted; None where it does not say."""
    try:
        counts = _ALLOCATED.findall(vmstat.read_bytes())
    except OSError:
        return None
    return sum(map(int, counts)) if counts else None


class Still:
    """Who is left alone, and up to when.

    Args:
        allocated_pages: returns how much the machine has allocated so far, if it is known.
    """

    def __init__(self, allocated_pages: Callable[[], int | None] = allocated_pages) -> None:
        self._allocated_pages = allocated_pages
        #: How much may have been allocated by then.
        self._until: WeakKeyDictionary[Governed, int] = WeakKeyDictionary()
        #: No later than the first of them; inf: there are none.
        self._first = inf
        self._counted_pages: int | None = None
        self._counted_ns = 0

    def leave(self, governed: Governed, far_pages: int) -> bool:
        """Leave a cgroup alone whose usage means nothing before it has grown by so much; whether that can be."""
        # A part of the way is time enough to see how fast it grows before it is there.
        far_pages = far_pages // _PARTS - STOCK_PAGES
        if self._counted_pages is None or far_pages <= 0:
            return False
        until = self._until[governed] = self._counted_pages + far_pages
        self._first = min(self._first, until)
        return True

    def forget(self, governed: Governed) -> None:
        """Leave it alone no more."""
        self._until.pop(governed, None)

    @property
    def due_ns(self) -> int:
        """When it is time to count again."""
        return self._counted_ns + MAX_NS

    def count(self, now_ns: int) -> list[Governed]:
        """Return those that are to be left alone no more, if it is time to count again."""
        if now_ns < self.due_ns:
            return []
        self._counted_ns = now_ns
        self._counted_pages = self._allocated_pages()
        counted_pages = inf if self._counted_pages is None else self._counted_pages
        if counted_pages < self._first:
            return []
        due = [governed for governed, until in self._until.items() if counted_pages >= until]
        for governed in due:
            self.forget(governed)
        self._first = min(self._until.values(), default=inf)
        return due
