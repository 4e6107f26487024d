# SPDX-License-Identifier: GPL-2.0-or-later
"""Cgroups for tests: made, looked at, filled with exact charges, removed."""

import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path("/sys/fs/cgroup")
CHECKOUT = Path(__file__).parents[2]
CHARGER = CHECKOUT / "build/bin/charger"
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
#: MEMCG_CHARGE_BATCH (include/linux/memcontrol.h).
CHARGE_BATCH_PAGES = 64
#: How long the kernel may take for what it does by and by: RCU grace periods, work queues.
PATIENCE_S = 30.0


class Cgroup:
    """A cgroup directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def make(cls, path: Path) -> Self:
        """Make the directory."""
        path.mkdir()
        return cls(path)

    @property
    def cgroup_id(self) -> int:
        """What BPF programs and links know it by."""
        return self.path.stat().st_ino

    def child(self, name: str) -> "Cgroup":
        """Make a child that has the memory controller."""
        self.enable_memory()
        return Cgroup.make(self.path / name)

    def enable_memory(self) -> None:
        """Give its children the memory controller."""
        self.write("cgroup.subtree_control", "+memory")

    def disable_memory(self) -> None:
        """Take the memory controller from its children."""
        self.write("cgroup.subtree_control", "-memory")

    def write(self, file: str, value: str) -> None:
        """Write one of its files."""
        (self.path / file).write_text(value)

    def read(self, file: str) -> str:
        """Read one of its files."""
        return (self.path / file).read_text().strip()

    def keyed(self, file: str) -> dict[str, int]:
        """A flat keyed file, such as memory.stat."""
        return {key: int(value) for key, value in (line.split() for line in self.read(file).splitlines())}

    @property
    def usage_pages(self) -> int:
        """memory.current."""
        return int(self.read("memory.current")) // PAGE_BYTES

    @contextmanager
    def opened(self) -> Iterator[int]:
        """A descriptor of the directory."""
        fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield fd
        finally:
            os.close(fd)

    def wait_empty(self) -> None:
        """Until its last task has gone."""
        with (self.path / "cgroup.events").open() as events:
            poller = select.poll()
            poller.register(events, select.POLLPRI)
            while True:
                events.seek(0)
                if "populated 0" in events.read():
                    return
                assert poller.poll(PATIENCE_S * 1000), f"tasks are left in {self.path}"

    def remove(self) -> None:
        """Remove it and everything below it; the tasks are killed."""
        if not self.path.exists():
            return
        self.write("cgroup.kill", "1")
        self.wait_empty()
        for directory, _, _ in os.walk(self.path, topdown=False):
            Path(directory).rmdir()


class Charger:
    """The helper charger.c in a cgroup: a context manager, at whose end it is gone."""

    def __init__(self, cgroup: Cgroup) -> None:
        self._cgroup = cgroup
        self._process = subprocess.Popen(
            [CHARGER, cgroup.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._answer()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def anon(self, pages: int) -> float:
        """Fault in that many more anonymous pages; the seconds it took."""
        return self.ask(f"anon {pages}") / 1e9

    def huge(self, count: int) -> float:
        """Fault in that many more huge pages; the seconds it took."""
        return self.ask(f"huge {count}") / 1e9

    def wanted(self, count: int) -> None:
        """Fault in that many more huge pages that were asked for by MADV_HUGEPAGE."""
        self.ask(f"wanted {count}")

    def file(self, path: Path, pages: int) -> float:
        """Write a file of that many pages, to the disk; the seconds it took."""
        return self.ask(f"file {path} {pages}") / 1e9

    def dirty(self, path: Path, pages: int) -> None:
        """Write a file of that many pages, which may stay dirty."""
        self.ask(f"dirty {path} {pages}")

    def read(self, path: Path, pages: int) -> None:
        """Read that many pages of a file."""
        self.ask(f"read {path} {pages}")

    def ahead(self, path: Path, pages: int) -> float:
        """Have that many pages of a file read ahead; the seconds until that was on its way."""
        return self.ask(f"ahead {path} {pages}") / 1e9

    def free(self) -> None:
        """Unmap all its anonymous pages."""
        self.ask("free")

    def ask(self, command: str) -> int:
        """Give it a command; what it answers."""
        self.tell(command)
        return self._answer()

    def tell(self, command: str) -> None:
        """Give it a command, whose answer nobody waits for."""
        assert self._process.stdin
        self._process.stdin.write(f"{command}\n")

    def has_answered(self) -> bool:
        """Whether it has done what it was told."""
        assert self._process.stdout
        return bool(select.select([self._process.stdout], [], [], 0)[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()
        if self._cgroup.path.exists():
            self._cgroup.wait_empty()

    def _answer(self) -> int:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, f"the charger ended with status {self._process.wait()}"
        return int(line)


def uncached_file(path: Path, pages: int) -> Path:
    """Write a file of that many pages, none of which is in the page cache then."""
    path.write_bytes(bytes(pages * PAGE_BYTES))
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("1")
    return path


@contextmanager
def put_back(file: Path) -> Iterator[Path]:
    """One of the kernel's settings, which at the end says again what it said before."""
    before = file.read_text()
    yield file
    file.write_text(before)


@contextmanager
def flushers_asleep() -> Iterator[None]:
    """No flusher of dirty pages wakes up by itself meanwhile, however many there are."""
    with ExitStack() as changed:
        # 0 would wake one with the first page that becomes dirty.
        for name, value in (("writeback_centisecs", 360_000), ("ratio", 95), ("background_ratio", 90)):
            changed.enter_context(put_back(Path("/proc/sys/vm/dirty_" + name))).write_text(str(value))
        yield


def until(deadline_s: float = PATIENCE_S) -> Iterator[None]:
    """Rounds of a loop that waits for what the kernel signals in no way; fails at the deadline."""
    end_s = time.monotonic() + deadline_s
    while time.monotonic() < end_s:
        yield
        time.sleep(0.01)
    raise AssertionError(f"nothing happened for {deadline_s} s")
