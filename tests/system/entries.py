# SPDX-License-Identifier: GPL-2.0-or-later
"""What a daemon has in the kernel's maps, looked at from outside."""

import ctypes
import os

from reclaimd.kernel.ids import map_ids
from reclaimd.kernel.libbpf import LIBBPF, U32, Status, bpf_map_get_next_key, bpf_obj_get_info_by_fd


class MapInfo(ctypes.Structure):
    """``struct bpf_map_info`` up to its name."""

    _fields_ = (("numbers", ctypes.c_uint32 * 6), ("name", ctypes.c_char * 16))


@LIBBPF.function
def bpf_map_get_fd_by_id(map_id: U32) -> Status:
    """A file descriptor of the map with this id."""
    raise NotImplementedError


def cgroups_in(name: str) -> set[int]:
    """Return the ids of the cgroups that the maps of this name have an entry for; empty if there is no such map."""
    found: set[int] = set()
    for map_id in map_ids():
        try:
            fd = bpf_map_get_fd_by_id(map_id)
        except FileNotFoundError:
            continue
        try:
            if _name_of(fd) == name:
                found |= _keys_of(fd)
        finally:
            os.close(fd)
    return found


def _name_of(fd: int) -> str:
    info = MapInfo()
    bpf_obj_get_info_by_fd(fd, info, ctypes.c_uint32(ctypes.sizeof(info)))
    name: bytes = info.name
    return name.decode()


def _keys_of(fd: int) -> set[int]:
    keys: set[int] = set()
    key: ctypes.c_uint64 | None = None
    while True:
        following = ctypes.c_uint64()
        try:
            bpf_map_get_next_key(fd, key, following)
        except FileNotFoundError:
            return keys
        keys.add(following.value)
        key = following
