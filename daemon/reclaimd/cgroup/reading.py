# SPDX-License-Identifier: GPL-2.0-or-later
"""What a cgroup's own accounts say of its memory at the moment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

#: Enough for any of the files: a dozen numbers.
_READ_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Reading:
    """Usage, stalls and events of a cgroup's memory.

    Attributes:
        usage_bytes: memory.current.
        stalled_us: the totals of memory.pressure, for "some" and "full"; empty on kernels without PSI.
        events: memory.events, by name.
    """

    usage_bytes: int
    stalled_us: Mapping[str, int]
    events: Mapping[str, int]


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
        if os.fstat(directory_fd).st_ino != cgroup_id:
            return None
        return Reading(
            int(_read(directory_fd, "memory.current")),
            _totals(directory_fd),
            _events(_read(directory_fd, "memory.events")),
        )
    except (OSError, ValueError):
        # It has gone meanwhile, or lost its memory controller.
        return None
    finally:
        os.close(directory_fd)


def _totals(directory_fd: int) -> Mapping[str, int]:
    try:
        text = _read(directory_fd, "memory.pressure")
    except OSError:
        return {}
    # "some avg10=0.00 avg60=0.00 avg300=0.00 total=0", and the same for "full".
    return {line[:4].decode(): int(line.rpartition(b"=")[2]) for line in text.splitlines()}


def _events(text: bytes) -> Mapping[str, int]:
    words = text.decode().split()
    return {name: int(count) for name, count in zip(words[::2], words[1::2], strict=True)}


def _read(directory_fd: int, name: str) -> bytes:
    fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=directory_fd)
    try:
        return os.read(fd, _READ_BYTES)
    finally:
        os.close(fd)
