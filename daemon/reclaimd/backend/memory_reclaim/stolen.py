# SPDX-License-Identifier: GPL-2.0-or-later
"""How many pages writes to memory.reclaim bring.

A write says no more than whether it was all that was asked for, and the kernel takes more as it suits it, much more where
little is asked for. How far usage has fallen tells, unless something was charged meanwhile. The kernel's own count is in
memory.stat, which takes too long to read to do so after each write.
"""

from reclaimd.backend.memory_reclaim.files import Files
from reclaimd.backend.memory_reclaim.size import SWAP_CLUSTER_PAGES

#: How long no count is read as long as all is brought that is asked for.
VALID_NS = 50_000_000


#: The kernel's reclaim goes by such batches, from each list of pages.
_ROUNDING_PAGES = 4 * SWAP_CLUSTER_PAGES


class Stolen:
    """Counts for one cgroup; its own files are given each time.

    Kernels before 6.15 do not tell reclaim for these writes from other reclaim.
    """

    __slots__ = ("_counted_pages", "_read_ns", "_read_pages")

    def __init__(self) -> None:
        self._read_ns = 0
        self._read_pages = 0
        #: Since then.
        self._counted_pages = 0

    def begin(self, files: Files, now_ns: int) -> None:
        """Prepare for the first write of an episode: what came before is not its doing.

        Raises:
            OSError: the cgroup has gone.
        """
        self._read_pages = files.stolen_pages()[0]
        self._read_ns = now_ns
        self._counted_pages = 0

    def all_of(self, files: Files, asked_pages: int, fallen_pages: int, now_ns: int) -> int:
        """Return what a write has brought that says that it was all it asked for.

        Args:
            files: of the cgroup.
            asked_pages: what it asked for.
            fallen_pages: by how much usage has fallen meanwhile.
            now_ns: when it was over.

        Raises:
            OSError: the cgroup has gone.
        """
        # What falls further was freed by its owners.
        most_pages = 2 * asked_pages + _ROUNDING_PAGES
        pages = min(max(asked_pages, fallen_pages), most_pages)
        if now_ns - self._read_ns >= VALID_NS:
            read_pages, is_exact = self._read(files, now_ns)
            if is_exact:
                return max(read_pages, 1)
        self._counted_pages += pages
        return pages

    def part_of(self, files: Files, asked_pages: int, now_ns: int) -> int:
        """Return what a write has brought that was less than it asked for; see all_of()."""
        pages, is_exact = self._read(files, now_ns)
        return max(pages if is_exact else min(pages, asked_pages - 1), 0)

    def _read(self, files: Files, now_ns: int) -> tuple[int, bool]:
        """Return what was taken and not yet counted, and whether it was taken by these writes."""
        read_pages, is_exact = files.stolen_pages()
        pages = read_pages - self._read_pages - self._counted_pages
        self._read_ns, self._read_pages, self._counted_pages = now_ns, read_pages, 0
        return pages, is_exact
