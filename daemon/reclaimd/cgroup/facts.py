# SPDX-License-Identifier: GPL-2.0-or-later
"""What a cgroup's files say."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reclaimd.cgroup.tree import UNREACHABLE, directory, walk
from reclaimd.errors import HostError

_MAX_FILE_BYTES = 64


@dataclass(frozen=True, slots=True)
class Memory:
    """A cgroup's memory.current, memory.max and memory.high in bytes; None is "max", no limit."""

    current_bytes: int
    max_bytes: int | None
    high_bytes: int | None


@dataclass(frozen=True, slots=True)
class CgroupFacts:
    """A cgroup and its memory; None where its parent has not enabled the memory controller for it."""

    cgroup_id: int
    path: str
    memory: Memory | None


def read_facts(root: Path, path: str) -> CgroupFacts | None:
    """Read one cgroup; None if it has gone, also if it went while it was read.

    All facts, the id included, are those of one and the same cgroup, even if the path is taken over by
    another one meanwhile.

    Args:
        root: where cgroup2 is mounted.
        path: the cgroup's path below it.

    Raises:
        HostError: a file cannot be read, and not because it has gone, or holds what no kernel writes.
    """
    try:
        with _opened(directory(root, path)) as directory_fd:
            cgroup_id = os.fstat(directory_fd).st_ino
            return CgroupFacts(cgroup_id, path, _read_memory(directory_fd))
    except OSError as error:
        if error.errno in UNREACHABLE:
            return None
        raise HostError(f"cannot read cgroup {path}: {error.strerror}") from error


def survey(root: Path) -> list[CgroupFacts]:
    """Read every cgroup below the root, parents before their children.

    Raises:
        HostError: as from read_facts() and walk().
    """
    found = (read_facts(root, cgroup.path) for cgroup in walk(root))
    return [facts for facts in found if facts]


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _read_memory(directory_fd: int) -> Memory | None:
    try:
        current_bytes = _number(_text(directory_fd, "memory.current"), "memory.current")
    except FileNotFoundError:
        # Either the controller is off for this cgroup or the cgroup has gone; its own files tell.
        os.stat("cgroup.procs", dir_fd=directory_fd)
        return None
    return Memory(current_bytes, _limit(directory_fd, "memory.max"), _limit(directory_fd, "memory.high"))


def _limit(directory_fd: int, name: str) -> int | None:
    text = _text(directory_fd, name)
    return None if text == "max" else _number(text, name)


def _number(text: str, name: str) -> int:
    if not text.isdecimal():
        raise HostError(f"{name} holds '{text}', which is no number of bytes")
    return int(text)


def _text(directory_fd: int, name: str) -> str:
    fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory_fd)
    try:
        return os.read(fd, _MAX_FILE_BYTES).decode("ascii", "backslashreplace").strip()
    finally:
        os.close(fd)
