# SPDX-License-Identifier: GPL-2.0-or-later
"""What a cgroup's own accounts say of its memory at the moment."""

import os
from dataclasses import dataclass

#: What memory.pressure is about: the time in which some tasks, or all, were stalled.
SHARES = ("some", "full")
#: What memory.events counts, as far as it is read.
EVENTS = ("low", "high", "max", "oom", "oom_kill")

#: Enough for any of the files: a dozen numbers.
_READ_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Reading:
    """Usage, stalls and events of a cgroup's memory.

    Attributes:
        usage_bytes: memory.current.
        stalled_us: the totals of memory.pressure, in the order of SHARES; empty on kernels without PSI.
        events: memory.events, in the order of EVENTS.
    """

    usage_bytes: int
    stalled_us: tuple[int, ...]
    events: tuple[int, ...]


def take_reading(root: str, path: str, cgroup_id: int) -> Reading | None:
    """Read one cgroup; None if it has gone, or another one has taken its path.

    Args:
        root: where cgroup2 is mounted.
        path: the cgroup's path below it.
        cgroup_id: which it is.
    """
    try:
        directory_fd = os.open(root + path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return reading_of(directory_fd) if os.fstat(directory_fd).st_ino == cgroup_id else None
    finally:
        os.close(directory_fd)


def reading_of(directory_fd: int) -> Reading | None:
    """Read the cgroup whose directory this is; None if it has gone, or lost its memory controller."""
    try:
        return Reading(
            int(_read(directory_fd, "memory.current")),
            _totals(directory_fd),
            _events(_read(directory_fd, "memory.events")),
        )
    except (OSError, ValueError):
        return None


def _totals(directory_fd: int) -> tuple[int, ...]:
    try:
        text = _read(directory_fd, "memory.pressure")
    except OSError:
        return ()
    # "some avg10=0.00 avg60=0.00 avg300=0.00 total=0", and the same for "full".
    some, full = (int(line.rpartition(b"=")[2]) for line in text.splitlines())
    return some, full


def _events(text: bytes) -> tuple[int, ...]:
    # "low 0", "high 0" and so on, always in the same order; what newer kernels have more comes after them.
    words = text.split()
    return tuple(int(count) for count in words[1 : 2 * len(EVENTS) : 2])


def _read(directory_fd: int, name: str) -> bytes:
    fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory_fd)
    try:
        return os.read(fd, _READ_BYTES)
    finally:
        os.close(fd)
