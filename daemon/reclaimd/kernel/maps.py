# SPDX-License-Identifier: GPL-2.0-or-later
"""BPF maps: the object's handle on one, and typed access to its elements."""

import ctypes
import errno
import mmap
from collections.abc import Iterator
from enum import IntEnum
from typing import Any, Generic, TypeVar

from reclaimd.kernel import libbpf
from reclaimd.kernel.pin import Pinnable

K = TypeVar("K", bound=libbpf.CData)
V = TypeVar("V", bound=libbpf.CData)

#: The kernel rounds each CPU's value up to this.
_PER_CPU_ALIGN_BYTES = 8


#: Elements that one system call brings; more than any bucket of a hash map ever has.
BATCH = 256


class UpdateFlag(IntEnum):
    """Flags of BPF_MAP_UPDATE_ELEM (uapi/linux/bpf.h)."""

    ANY = 0
    NOEXIST = 1
    EXIST = 2


class MapInfo(ctypes.Structure):
    """``struct bpf_map_info`` (uapi/linux/bpf.h), as far as it is read here."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("key_size", ctypes.c_uint32),
        ("value_size", ctypes.c_uint32),
        ("max_entries", ctypes.c_uint32),
        ("map_flags", ctypes.c_uint32),
        ("name", ctypes.c_char * 16),
    )


class GlobalData:
    """The memory of a map that holds global variables."""

    def __init__(self, address: int, mapping: mmap.mmap | None) -> None:
        self._address = address
        self._mapping = mapping

    def at(self, offset_bytes: int, c_type: type[V]) -> V:
        """A ctypes object that lies in this memory."""
        # What ctypes' classes can do is declared on private metaclasses, out of a type variable's sight.
        make: Any = c_type
        if self._mapping is not None:
            placed: V = make.from_buffer(self._mapping, offset_bytes)
        else:
            placed = make.from_address(self._address + offset_bytes)
        return placed


class BpfMap(Pinnable):
    """A map of a BpfObject."""

    def __init__(self, pointer: libbpf.MapPtr) -> None:
        self.pointer = pointer
        #: Of a struct_ops map: whether it has its value, see link.fill_struct_ops.
        self.struct_ops_filled = False
        self.name = libbpf.bpf_map__name(pointer).decode()

    def fileno(self) -> int:
        """The map's file descriptor; the object closes it.

        Raises:
            OSError: EBADF: the object is not loaded.
        """
        try:
            return libbpf.bpf_map__fd(self.pointer)
        except OSError as error:
            raise OSError(errno.EBADF, f"the map {self.name} is not loaded") from error

    def info(self) -> MapInfo:
        """What the kernel says of the loaded map."""
        return map_info(self.fileno())

    def set_max_entries(self, max_entries: int) -> None:
        """Size the map, before its object is loaded.

        Raises:
            OSError: EBUSY: it is loaded.
        """
        libbpf.bpf_map__set_max_entries(self.pointer, max_entries)

    def set_value_size(self, size_bytes: int) -> None:
        """Size the map's values, before its object is loaded.

        Raises:
            OSError: EBUSY: it is loaded.
        """
        libbpf.bpf_map__set_value_size(self.pointer, size_bytes)

    def typed(self, key: type[K], value: type[V]) -> "TypedMap[K, V]":
        """Access to the loaded map's elements as ctypes objects.

        Raises:
            TypeError: keys or values have another size.
        """
        return TypedMap(self.fileno(), self.name, key, value)

    def initial_data(self) -> GlobalData:
        """The global variables as the object file has them, to be changed before it is loaded."""
        size = ctypes.c_size_t()
        address = libbpf.bpf_map__initial_value(self.pointer, size)
        if address is None:
            raise OSError(errno.EINVAL, f"the map {self.name} holds no global variables")
        return GlobalData(address, None)

    def mapped_data(self) -> GlobalData:
        """The global variables as running programs see them."""
        return mapped_data(self.fileno())


def mapped_data(fd: int) -> GlobalData:
    """The global variables in the map behind a file descriptor, as running programs see them."""
    size_bytes = -(-map_info(fd).value_size // mmap.PAGESIZE) * mmap.PAGESIZE
    return GlobalData(0, mmap.mmap(fd, size_bytes))


def map_info(fd: int) -> MapInfo:
    """What the kernel says of the map behind a file descriptor.

    Raises:
        OSError: it is no map.
    """
    info = MapInfo()
    libbpf.bpf_obj_get_info_by_fd(fd, info, ctypes.c_uint32(ctypes.sizeof(info)))
    return info


class TypedMap(Generic[K, V]):
    """The elements of a hash or array map.

    Args:
        fd: the map's file descriptor; borrowed.
        name: for errors.
        key: the ctypes class of its keys.
        value: the ctypes class of its values (of one CPU's, for a per-CPU map).
    """

    def __init__(self, fd: int, name: str, key: type[K], value: type[V]) -> None:
        info = map_info(fd)
        _check_size(name, "keys", info.key_size, key)
        _check_size(name, "values", info.value_size, value)
        self._fd = fd
        self._key = key
        self._value = value

    def lookup(self, key: K) -> V | None:
        """A copy of the key's value; None if it is not in the map."""
        value = self._value()
        return value if self._lookup(key, value) else None

    def lookup_per_cpu(self, key: K) -> list[V] | None:
        """Copies of the key's values in a per-CPU map, one for each possible CPU; None if it has none."""
        stride_bytes = -(-ctypes.sizeof(self._value) // _PER_CPU_ALIGN_BYTES) * _PER_CPU_ALIGN_BYTES
        cpus = libbpf.libbpf_num_possible_cpus()
        memory = (ctypes.c_char * (stride_bytes * cpus))()
        if not self._lookup(key, memory):
            return None
        make: Any = self._value  # see GlobalData.at
        return [make.from_buffer_copy(memory, cpu * stride_bytes) for cpu in range(cpus)]

    def update(self, key: K, value: V, flag: UpdateFlag = UpdateFlag.ANY) -> None:
        """Set the key's value.

        Raises:
            OSError: E2BIG: the map is full; EEXIST, ENOENT: the flag forbids it.
        """
        libbpf.bpf_map_update_elem(self._fd, key, value, flag)

    def delete(self, key: K) -> bool:
        """Remove a key; whether it was there."""
        try:
            libbpf.bpf_map_delete_elem(self._fd, key)
        except FileNotFoundError:
            return False
        return True

    def __iter__(self) -> Iterator[K]:
        """All keys. Deleting the one just given is safe: the next was found before."""
        key = self._next_key(None)
        while key is not None:
            following = self._next_key(key)
            yield key
            key = following

    def items(self) -> Iterator[tuple[K, V]]:
        """All keys with copies of their values; keys that vanish meanwhile are left out."""
        for key in self:
            value = self.lookup(key)
            if value is not None:
                yield key, value

    def scan(self) -> Iterator[tuple[K, V]]:
        """All keys of a hash map with their values, many at each system call.

        Both lie in memory that is used again: they are good until the next are asked for.
        """
        make_key: Any = self._key  # see GlobalData.at
        make_value: Any = self._value
        keys, values = (make_key * BATCH)(), (make_value * BATCH)()
        position: ctypes.c_uint64 | None = None
        more = True
        while more:
            following, count = ctypes.c_uint64(), ctypes.c_uint32(BATCH)
            try:
                libbpf.bpf_map_lookup_batch(self._fd, position, following, keys, values, count, None)
            except FileNotFoundError:
                more = False
            position = following
            for place in range(count.value):
                yield make_key.from_buffer(keys, place * ctypes.sizeof(make_key)), values[place]

    def _lookup(self, key: K, memory: libbpf.CData) -> bool:
        try:
            libbpf.bpf_map_lookup_elem(self._fd, key, memory)
        except FileNotFoundError:
            return False
        return True

    def _next_key(self, key: K | None) -> K | None:
        following = self._key()
        try:
            libbpf.bpf_map_get_next_key(self._fd, key, following)
        except FileNotFoundError:
            return None
        return following


def _check_size(name: str, what: str, size_bytes: int, c_type: type[libbpf.CData]) -> None:
    if size_bytes != ctypes.sizeof(c_type):
        raise TypeError(
            f"the map {name} has {what} of {size_bytes} bytes, {c_type.__name__} {ctypes.sizeof(c_type)}"
        )
