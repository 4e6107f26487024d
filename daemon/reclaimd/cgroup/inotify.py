# SPDX-License-Identifier: GPL-2.0-or-later
"""inotify(7), through the C library."""

import ctypes
import errno
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reclaimd.errors import HostError

# From the kernel's include/uapi/linux/inotify.h.
IN_MODIFY = 0x00000002
IN_CREATE = 0x00000100
IN_DELETE = 0x00000200
IN_DELETE_SELF = 0x00000400
IN_Q_OVERFLOW = 0x00004000
IN_ONLYDIR = 0x01000000
IN_ONESHOT = 0x80000000
IN_ISDIR = 0x40000000

_HEADER = struct.Struct("iIII")
_READ_BYTES = 64 * 1024
#: What inotify_init1(2) and inotify_add_watch(2) fail with where one is reached.
_LIMITS: Mapping[int | None, str] = {
    errno.EMFILE: "max_user_instances (or the limit on open files)",
    errno.ENOSPC: "max_user_watches",
}


@dataclass(frozen=True, slots=True)
class InotifyEvent:
    """One struct inotify_event: the watch it is from, what happened, and to which name in the directory."""

    watch: int
    mask: int
    name: str


class Inotify:
    """An inotify instance; never blocks.

    Raises:
        OSError: from each method, with the name of the C function that failed.
    """

    def __init__(self) -> None:
        self._fd = _checked("inotify_init1", _init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def fileno(self) -> int:
        """Return the file descriptor, which is readable when there are events."""
        return self._fd

    def add(self, path: bytes, mask: int) -> int:
        """Watch a path and return the watch's number."""
        return _checked("inotify_add_watch", _add_watch(self._fd, path, mask))

    def remove(self, watch: int) -> None:
        """Stop a watch."""
        _checked("inotify_rm_watch", _rm_watch(self._fd, watch))

    def read(self) -> list[InotifyEvent]:
        """Return the next events, none if there are none; call again for more."""
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return []
        return list(_parse(data))

    def close(self) -> None:
        """End all watches."""
        os.close(self._fd)


def cannot_watch(what: str, error: OSError) -> HostError:
    """Return the error that says that something cannot be watched, and which limit of the kernel's is in the way."""
    limit = _LIMITS.get(error.errno)
    hint = f"raise the sysctl fs.inotify.{limit}" if limit else None
    return HostError(f"cannot watch {what}: {error.strerror}", hint=hint)


def _parse(data: bytes) -> Iterator[InotifyEvent]:
    at = 0
    while at < len(data):
        watch, mask, _cookie, name_bytes = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        name = data[at : at + name_bytes].rstrip(b"\0")
        at += name_bytes
        yield InotifyEvent(watch, mask, os.fsdecode(name))


def _checked(function: str, result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")
    return result


_libc = ctypes.CDLL(None, use_errno=True)

_init1 = _libc.inotify_init1
_init1.argtypes = [ctypes.c_int]
_init1.restype = ctypes.c_int

_add_watch = _libc.inotify_add_watch
_add_watch.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32]
_add_watch.restype = ctypes.c_int

_rm_watch = _libc.inotify_rm_watch
_rm_watch.argtypes = [ctypes.c_int, ctypes.c_int]
_rm_watch.restype = ctypes.c_int
