# SPDX-License-Identifier: GPL-2.0-or-later
"""A cgroup2 tree of ordinary directories and files."""

import shutil
from pathlib import Path

EVENTS = "low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\nsock_throttled 7\n"
PRESSURE = """\
some avg10=0.00 avg60=0.10 avg300=0.25 total=1500000
full avg10=0.00 avg60=0.00 avg300=0.00 total=250000
"""


class FakeCgroupfs:
    """What the daemon reads of cgroupfs; a cgroup's id is its directory's inode number, as in the kernel."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        (root / "cgroup.controllers").write_text("cpu io memory pids\n")
        (root / "cgroup.procs").write_text("")

    def add(
        self,
        path: str,
        *,
        max_bytes: int | None = None,
        high_bytes: int | None = None,
        current_bytes: int = 0,
        memory: bool = True,
    ) -> int:
        """Make a cgroup, and those above it without limits where they are missing; return its id."""
        above = path.rpartition("/")[0]
        if above and not self._directory(above).exists():
            self.add(above)
        directory = self._directory(path)
        directory.mkdir()
        (directory / "cgroup.procs").write_text("")
        if memory:
            (directory / "memory.max").write_text(_limit(max_bytes))
            (directory / "memory.high").write_text(_limit(high_bytes))
            (directory / "memory.events").write_text(EVENTS)
            (directory / "memory.pressure").write_text(PRESSURE)
            # Read first, so made last and at once: nobody sees a controller with half its files.
            current = directory / "memory.current"
            current.with_suffix(".new").write_text(f"{current_bytes}\n")
            current.with_suffix(".new").rename(current)
        return directory.stat().st_ino

    def remove(self, path: str) -> None:
        """Remove a cgroup."""
        shutil.rmtree(self._directory(path))

    def _directory(self, path: str) -> Path:
        return self.root / path[1:]


def _limit(limit_bytes: int | None) -> str:
    return "max\n" if limit_bytes is None else f"{limit_bytes}\n"
