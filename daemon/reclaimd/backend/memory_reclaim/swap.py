# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether anonymous memory has anywhere to go."""

import os
from contextlib import suppress
from mmap import PAGESIZE as PAGE_BYTES
from pathlib import Path

from reclaimd.cgroup.tree import paths_above

#: Free swap that is none: each CPU holds some in advance (SWAP_SLOTS_CACHE_SIZE in linux/swap_slots.h, twice).
RESERVED_PAGES = 128 * (os.cpu_count() or 1)
#: A cgroup's own.
_LEAST_PAGES = 32
#: What was read may be so old.
VALID_NS = 50_000_000

_PROC = Path("/proc")
_SYS = Path("/sys")
_FREE = b"SwapFree:"
_KIB = 1024


class Swap:
    """Free swap of the machine, and of cgroups by their memory.swap.max and those above them.

    Args:
        root: where cgroup2 is mounted.
        proc, sys: where these are.
    """

    def __init__(self, root: str, proc: Path = _PROC, sys: Path = _SYS) -> None:
        self._root = root
        self._meminfo = proc / "meminfo"
        self._demotes = _says(sys / "kernel/mm/numa/demotion_enabled", "true")
        self._read_ns: int | None = None
        self._free_pages = 0

    def free_pages(self, now_ns: int) -> int:
        """Return the machine's free swap, as it was a moment ago at most."""
        if self._read_ns is None or now_ns - self._read_ns >= VALID_NS:
            self._free_pages = _free_bytes(self._meminfo) // PAGE_BYTES
            self._read_ns = now_ns
        return self._free_pages

    def has_room(self, path: str, now_ns: int) -> bool:
        """Tell whether the anonymous memory of a cgroup can go anywhere: to swap, or to slower memory."""
        if self._demotes:
            return True
        return self.free_pages(now_ns) > RESERVED_PAGES and all(
            map(self._may_swap, (path, *paths_above(path)))
        )

    def _may_swap(self, path: str) -> bool:
        with suppress(OSError, ValueError):
            most = Path(f"{self._root}{path}/memory.swap.max").read_bytes()
            if most != b"max\n":
                used = Path(f"{self._root}{path}/memory.swap.current").read_bytes()
                return int(most) - int(used) >= _LEAST_PAGES * PAGE_BYTES
        return True


def _free_bytes(meminfo: Path) -> int:
    fd = os.open(meminfo, os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.read(fd, 4096)
    finally:
        os.close(fd)
    at = text.find(_FREE)
    return int(text[at + len(_FREE) :].split(None, 1)[0]) * _KIB if at >= 0 else 0


def _says(file: Path, text: str) -> bool:
    try:
        return file.read_text().strip() == text
    except OSError:
        return False
