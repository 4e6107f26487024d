# SPDX-License-Identifier: GPL-2.0-or-later
"""How much a pass asks for."""

import math
from mmap import PAGESIZE as PAGE_BYTES

#: The kernel takes no less (include/linux/swap.h).
SWAP_CLUSTER_PAGES = 32

MAX_PASS_PAGES = (32 << 20) // PAGE_BYTES
#: The kernel divides what it is asked for in the same way.
PARTS = 4

#: As long as a write is to take: rmdir of the cgroup waits for it.
WRITE_NS = 50_000_000


class Size:
    """The size of a cgroup's passes: as large as what is to go, as short as they have to be.

    Small passes are slow: the kernel reclaims by the quarter of what it is asked for.
    """

    __slots__ = ("_cpu_speed", "_speed")

    def __init__(self) -> None:
        #: Pages in a ns, and in a ns of CPU time; 0 while nothing is known.
        self._speed = 0.0
        self._cpu_speed = 0.0

    def pages(self, wanted_pages: int | None, pass_pages: int, cpu_left_ns: float) -> int:
        """Return what the next pass is to ask for.

        Args:
            wanted_pages: all that is to go; None if that is not known.
            pass_pages: what the rule has a pass ask for.
            cpu_left_ns: how much CPU time it may take.
        """
        pages: float = pass_pages
        if wanted_pages is not None:
            pages = min(max(pass_pages, wanted_pages // PARTS), wanted_pages, MAX_PASS_PAGES)
        if self._speed:
            bound = min(self._speed * WRITE_NS, self._cpu_speed * cpu_left_ns)
        else:
            bound = SWAP_CLUSTER_PAGES * PARTS if cpu_left_ns == math.inf else SWAP_CLUSTER_PAGES
        return max(int(min(pages, bound)), SWAP_CLUSTER_PAGES)

    def learn(self, pages: int, took_ns: int, cpu_ns: int) -> None:
        """Take into account what a pass brought, and how long it took."""
        if pages:
            self._speed = _slower_at_once(self._speed, pages / max(took_ns, 1))
            self._cpu_speed = _slower_at_once(self._cpu_speed, pages / max(cpu_ns, 1))


def _slower_at_once(before: float, now: float) -> float:
    return now if not before or now < before else (3 * before + now) / 4
