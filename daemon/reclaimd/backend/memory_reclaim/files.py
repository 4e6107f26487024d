# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of one governed cgroup."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from mmap import PAGESIZE as PAGE_BYTES
from typing import Self

from reclaimd.backend.memory_reclaim.deadline import write
from reclaimd.backend.memory_reclaim.plan import Source
from reclaimd.cgroup.tree import UNREACHABLE
from reclaimd.config.metric import Metric
from reclaimd.errors import HostError
from reclaimd.policy.rule import SWAPPINESS_ANON_ONLY, SWAPPINESS_OWN

NS_PER_US = 1000

#: More than memory.stat has.
_READ_BYTES = 16384
_USAGE_BYTES = 32

_RECLAIM = "memory.reclaim"
_NAMES = {Source.STAT: "memory.stat", Source.EVENTS: "memory.events", Source.PRESSURE: "memory.pressure"}

_STATS = {
    Metric.PGFAULTS: b"\npgfault ",
    Metric.REFAULTS_ANON: b"\nworkingset_refault_anon ",
    Metric.REFAULTS_FILE: b"\nworkingset_refault_file ",
}
_EVENTS = {
    Metric.EVENTS_HIGH: b"\nhigh ",
    Metric.EVENTS_MAX: b"\nmax ",
    Metric.EVENTS_OOM: b"\noom ",
}
#: Pages that were reclaimed for writes to memory.reclaim, where kernels tell these apart, and for any reason.
_STOLEN_BY_WRITES = b"\npgsteal_proactive "
_STOLEN = b"\npgsteal "


class Files:
    """What is read and written of one cgroup, opened below its directory: never those of another at the same path.

    Several threads use them and none knows when the others are done: they are closed with the last reference.

    Args:
        directory_fd: the cgroup's directory; taken over.
        usage_fd: its memory.current; likewise.

    Raises:
        OSError: from the methods that read or write; ENODEV if the cgroup has gone.
    """

    __slots__ = ("_opened", "directory_fd", "usage_fd")

    def __init__(self, directory_fd: int, usage_fd: int) -> None:
        self.directory_fd = directory_fd
        self.usage_fd = usage_fd
        self._opened: dict[str, int] = {}

    @classmethod
    def open(cls, directory: str, cgroup_id: int) -> Self | None:
        """Open the cgroup at a path; None if it has gone, or the path is another one's.

        Raises:
            HostError: it cannot be opened for another reason.
        """
        with ExitStack() as undo:
            try:
                directory_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                undo.callback(os.close, directory_fd)
                if os.fstat(directory_fd).st_ino != cgroup_id:
                    return None
                usage_fd = os.open("memory.current", os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory_fd)
            except OSError as error:
                if error.errno in UNREACHABLE:
                    return None
                raise HostError(f"cannot open cgroup {directory}: {error.strerror}") from error
            undo.pop_all()
            return cls(directory_fd, usage_fd)

    def __del__(self) -> None:
        for fd in (self.directory_fd, self.usage_fd, *self._opened.values()):
            os.close(fd)

    def exists(self) -> bool:
        """Tell whether the cgroup is still there."""
        try:
            self.usage_pages()
        except OSError:
            return False
        return True

    def prepare(self, sources: Source) -> None:
        """Open what is needed to reclaim and to read these sources.

        Raises:
            OSError: it cannot be, EACCES or EPERM if this process may not write to memory.reclaim.
        """
        self._fd(_RECLAIM, os.O_WRONLY)
        for source, name in _NAMES.items():
            if source in sources:
                # Without pressure in the kernel, there is none.
                with suppress(FileNotFoundError):
                    self._fd(name, os.O_RDONLY)

    def usage_pages(self) -> int:
        """Return memory.current in pages."""
        return int(os.pread(self.usage_fd, _USAGE_BYTES, 0)) // PAGE_BYTES

    def measure(self, sources: Source) -> dict[Metric, int]:
        """Return what the files of these sources say, as far as they are the cgroup's own."""
        readings: dict[Metric, int] = {}
        if Source.STAT in sources:
            readings.update(_numbers(self._read(_NAMES[Source.STAT]), _STATS))
            readings[Metric.REFAULTS] = sum(
                readings.get(metric, 0) for metric in (Metric.REFAULTS_ANON, Metric.REFAULTS_FILE)
            )
        if Source.EVENTS in sources:
            readings.update(_numbers(self._read(_NAMES[Source.EVENTS]), _EVENTS))
        if Source.PRESSURE in sources:
            readings.update(self._pressure())
        return readings

    def stolen_pages(self) -> tuple[int, bool]:
        """Return how many pages reclaim has taken from the cgroup so far, and whether that is only for such writes."""
        text = b"\n" + self._read(_NAMES[Source.STAT])
        for key in (_STOLEN_BY_WRITES, _STOLEN):
            if key in text:
                return _number_after(text, key), key is _STOLEN_BY_WRITES
        return 0, False

    def reclaim(self, pages: int, swappiness: int) -> bool:
        """Have so many pages reclaimed; False if it was less, or took too long.

        Args:
            pages: how many; the kernel may take some more.
            swappiness: 0 to 200, SWAPPINESS_OWN or SWAPPINESS_ANON_ONLY.
        """
        text = f"{pages * PAGE_BYTES}{_argument(swappiness)}"
        return write(self._fd(_RECLAIM, os.O_WRONLY), text.encode())

    def _pressure(self) -> Iterator[tuple[Metric, int]]:
        try:
            text = self._read(_NAMES[Source.PRESSURE])
        except FileNotFoundError:
            # The kernel accounts for none: there is none.
            os.stat("cgroup.procs", dir_fd=self.directory_fd)
            text = b"some total=0\nfull total=0\n"
        for metric, line in zip((Metric.PSI_SOME, Metric.PSI_FULL), text.splitlines(), strict=False):
            yield metric, int(line.rpartition(b"=")[2]) * NS_PER_US

    def _read(self, name: str) -> bytes:
        return os.pread(self._fd(name, os.O_RDONLY), _READ_BYTES, 0)

    def _fd(self, name: str, flags: int) -> int:
        fd = self._opened.get(name)
        if fd is None:
            fd = os.open(name, flags | os.O_CLOEXEC, dir_fd=self.directory_fd)
            # Another thread may have opened it meanwhile.
            kept = self._opened.setdefault(name, fd)
            if kept != fd:
                os.close(fd)
            fd = kept
        return fd


def _argument(swappiness: int) -> str:
    if swappiness == SWAPPINESS_OWN:
        return ""
    return " swappiness=max" if swappiness == SWAPPINESS_ANON_ONLY else f" swappiness={swappiness}"


def _numbers(text: bytes, keys: dict[Metric, bytes]) -> Iterator[tuple[Metric, int]]:
    text = b"\n" + text
    for metric, key in keys.items():
        if key in text:
            yield metric, _number_after(text, key)


def _number_after(text: bytes, key: bytes) -> int:
    at = text.index(key) + len(key)
    return int(text[at : text.index(b"\n", at)])
