# SPDX-License-Identifier: GPL-2.0-or-later
"""What a daemon has in the kernel's maps, looked at from outside."""

import ctypes
import os
from collections.abc import Iterator
from typing import TypeVar

from reclaimd.kernel.ids import map_ids
from reclaimd.kernel.layout import RuleValue, StateValue
from reclaimd.kernel.libbpf import LIBBPF, U32, Status, bpf_map_get_next_key, bpf_obj_get_info_by_fd
from reclaimd.kernel.maps import TypedMap

V = TypeVar("V", bound=ctypes.Structure)


class MapInfo(ctypes.Structure):
    """``struct bpf_map_info`` up to its name."""

    _fields_ = (("numbers", ctypes.c_uint32 * 6), ("name", ctypes.c_char * 16))


@LIBBPF.function
def bpf_map_get_fd_by_id(map_id: U32) -> Status:
    """A file descriptor of the map with this id."""
    raise NotImplementedError


def rule_of(cgroup_id: int) -> RuleValue | None:
    """Return the rule that is in force for a cgroup, as the kernel has it."""
    return _value("rules", RuleValue, cgroup_id)


def state_of(cgroup_id: int) -> StateValue | None:
    """Return what goes on in a cgroup, as the kernel has it."""
    return _value("states", StateValue, cgroup_id)


def cgroups_in(name: str) -> set[int]:
    """Return the ids of the cgroups that the maps of this name have an entry for; empty if there is no such map."""
    return {cgroup_id for fd in _maps(name) for cgroup_id in _keys_of(fd)}


def _value(name: str, kind: type[V], cgroup_id: int) -> V | None:
    values = [
        TypedMap(fd, name, ctypes.c_uint64, kind).lookup(ctypes.c_uint64(cgroup_id)) for fd in _maps(name)
    ]
    return next((value for value in values if value), None)


def _maps(name: str) -> Iterator[int]:
    """Yield a file descriptor of each map of this name, open until the next one."""
    for map_id in map_ids():
        try:
            fd = bpf_map_get_fd_by_id(map_id)
        except FileNotFoundError:
            continue
        try:
            if _name_of(fd) == name:
                yield fd
        finally:
            os.close(fd)


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
