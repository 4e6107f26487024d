# SPDX-License-Identifier: GPL-2.0-or-later
"""How the daemon's own memory is managed."""

import ctypes
from contextlib import suppress

# mallopt(3), from glibc's malloc.h.
M_MMAP_THRESHOLD = -3
M_ARENA_MAX = -8

MMAP_THRESHOLD_BYTES = 128 << 10


def give_memory_back() -> None:
    """Have the C library return what a scrape or a reload took for a moment, as a daemon is scraped for ever.

    By default each thread, and so each scrape, may get an arena of its own, and blocks of megabytes come from these
    once one has been freed: what is left of them between blocks in use stays with the process.
    """
    # Other C libraries have no mallopt, and none of its habits.
    with suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
