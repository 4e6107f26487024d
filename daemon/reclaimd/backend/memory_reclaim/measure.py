# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading what conditions look at."""

from reclaimd.backend.memory_reclaim.governed import Governed, Roster
from reclaimd.backend.memory_reclaim.plan import Source
from reclaimd.backend.memory_reclaim.swap import Swap
from reclaimd.config.metric import Metric


def measure(governed: Governed, roster: Roster, swap: Swap, now_ns: int) -> int:
    """Read what is to be measured now, if anything is; return the usage in pages.

    Raises:
        OSError: the cgroup has gone.
    """
    usage_pages = governed.files.usage_pages()
    sources = governed.course.sources(now_ns)
    if sources:
        readings = governed.files.measure(sources)
        if Source.SWAP in sources:
            readings[Metric.SWAP_FREE] = swap.free_pages(now_ns)
        with roster.lock:
            governed.course.measured(readings, now_ns)
    return usage_pages
