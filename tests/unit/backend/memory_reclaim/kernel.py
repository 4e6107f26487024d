# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel that reclaims from cgroups made of ordinary files."""

import errno
import os
import threading
from mmap import PAGESIZE as PAGE_BYTES
from pathlib import Path

from tests.unit.fake_cgroupfs import FakeCgroupfs

STAT = """\
anon 4096
pgfault {pgfault}
workingset_refault_anon {refault_anon}
workingset_refault_file {refault_file}
pgsteal {stolen}
pgsteal_proactive {stolen}
"""


class FakeKernel:
    """Plays memory.reclaim: a write takes what it asks for from memory.current, down to what cannot be reclaimed.

    Attributes:
        kept_pages: what no write gets below.
        writes: what was written, in order.
        entered: set with each write.
        may_go_on: writes wait for it.
    """

    def __init__(self, cgroupfs: FakeCgroupfs) -> None:
        self.kept_pages = 0
        self.writes: list[str] = []
        self.entered = threading.Event()
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self._cgroupfs = cgroupfs
        self._stolen: dict[Path, int] = {}

    def add(self, path: str, pages: int = 0) -> int:
        """Make a cgroup with so much memory; return its id."""
        cgroup_id = self._cgroupfs.add(path, current_bytes=pages * PAGE_BYTES)
        directory = self.directory(path)
        (directory / "memory.reclaim").write_text("")
        self.stat(path)
        return cgroup_id

    def directory(self, path: str) -> Path:
        """Where a cgroup is."""
        return self._cgroupfs.root / path[1:]

    def charge(self, path: str, pages: int) -> None:
        """Have a cgroup use so many pages in all."""
        _set(self.directory(path) / "memory.current", f"{pages * PAGE_BYTES:<20}\n")

    def usage_pages(self, path: str) -> int:
        """What a cgroup uses."""
        return int((self.directory(path) / "memory.current").read_text()) // PAGE_BYTES

    def stat(self, path: str, pgfault: int = 0, refault_anon: int = 0, refault_file: int = 0) -> None:
        """Have memory.stat say this."""
        directory = self.directory(path)
        stolen = self._stolen.get(directory, 0)
        text = STAT.format(
            pgfault=pgfault, refault_anon=refault_anon, refault_file=refault_file, stolen=stolen
        )
        _set(directory / "memory.stat", text)

    def happen(self, path: str, event: str, count: int) -> None:
        """Have memory.events count so many of an event."""
        file = self.directory(path) / "memory.events"
        lines = [
            f"{event} {count}" if line.startswith(f"{event} ") else line
            for line in file.read_text().splitlines()
        ]
        _set(file, "\n".join(lines) + "\n")

    def write(self, fd: int, data: bytes) -> bool:
        """Stand in for reclaimd.backend.memory_reclaim.deadline.write()."""
        self.writes.append(data.decode())
        self.entered.set()
        self.may_go_on.wait(10)
        directory = Path(f"/proc/self/fd/{fd}").readlink().parent
        if not (directory / "memory.current").exists():
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        path = f"/{directory.relative_to(self._cgroupfs.root)}"
        asked = int(data.split()[0]) // PAGE_BYTES
        usage = self.usage_pages(path)
        taken = max(min(asked, usage - self.kept_pages), 0)
        self.charge(path, usage - taken)
        self._stolen[directory] = self._stolen.get(directory, 0) + taken
        self.stat(path)
        return taken == asked


def _set(file: Path, text: str) -> None:
    """Write without a moment in which the file is empty."""
    fd = os.open(file, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.pwrite(fd, text.encode(), 0)
        os.ftruncate(fd, len(text.encode()))
    finally:
        os.close(fd)
