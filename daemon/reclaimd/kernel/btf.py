# SPDX-License-Identifier: GPL-2.0-or-later
"""BTF: what types, functions and constants the kernel, or a BPF object, has.

The format is described in the kernel's Documentation/bpf/btf.rst; libbpf parses and checks it,
this module reads the ``struct btf_type`` records that libbpf points at (uapi/linux/btf.h).
"""

import ctypes
import os
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Self, TypeVar

from reclaimd.kernel import libbpf

T = TypeVar("T", bound=ctypes.Structure)

#: The running kernel's own.
KERNEL_BTF = Path("/sys/kernel/btf/vmlinux")


class Kind(IntEnum):
    """``BTF_KIND_*`` (uapi/linux/btf.h)."""

    VOID = 0
    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19


#: Kinds that say something about a type without changing its layout.
_TRANSPARENT = frozenset({Kind.TYPEDEF, Kind.VOLATILE, Kind.CONST, Kind.RESTRICT, Kind.TYPE_TAG})
_QUALIFIERS = {Kind.VOLATILE: "volatile", Kind.CONST: "const", Kind.RESTRICT: "restrict"}
_TAGGED = {
    Kind.STRUCT: "struct",
    Kind.UNION: "union",
    Kind.FWD: "struct",
    Kind.ENUM: "enum",
    Kind.ENUM64: "enum",
}


class _Header(ctypes.Structure):
    """``struct btf_type``."""

    _fields_ = (("name_off", ctypes.c_uint32), ("info", ctypes.c_uint32), ("size_or_type", ctypes.c_uint32))


class _Array(ctypes.Structure):
    """``struct btf_array``."""

    _fields_ = (("type", ctypes.c_uint32), ("index_type", ctypes.c_uint32), ("nelems", ctypes.c_uint32))


class _Member(ctypes.Structure):
    """``struct btf_member``."""

    _fields_ = (("name_off", ctypes.c_uint32), ("type", ctypes.c_uint32), ("offset", ctypes.c_uint32))


class _Enum(ctypes.Structure):
    """``struct btf_enum``."""

    _fields_ = (("name_off", ctypes.c_uint32), ("val", ctypes.c_int32))


class _Enum64(ctypes.Structure):
    """``struct btf_enum64``."""

    _fields_ = (("name_off", ctypes.c_uint32), ("val_lo32", ctypes.c_uint32), ("val_hi32", ctypes.c_uint32))


class _Param(ctypes.Structure):
    """``struct btf_param``."""

    _fields_ = (("name_off", ctypes.c_uint32), ("type", ctypes.c_uint32))


class _VarSecinfo(ctypes.Structure):
    """``struct btf_var_secinfo``."""

    _fields_ = (("type", ctypes.c_uint32), ("offset", ctypes.c_uint32), ("size", ctypes.c_uint32))


_VLEN_MASK = 0xFFFF
_KIND_SHIFT = 24
_KIND_MASK = 0x1F
_KIND_FLAG = 1 << 31
_BITFIELD_OFFSET_MASK = 0xFFFFFF
_U32_MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a struct.

    Attributes:
        name: empty for an anonymous struct or union.
        offset_bytes: where it begins (for a bitfield: the byte it begins in).
        size_bytes: of its type; 0 for a flexible array.
        type_id: of its type, as written.
    """

    name: str
    offset_bytes: int
    size_bytes: int
    type_id: int


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct and its members, in order."""

    name: str
    size_bytes: int
    members: tuple[Member, ...]

    def member(self, name: str) -> Member | None:
        """The member with this name."""
        return next((member for member in self.members if member.name == name), None)


@dataclass(frozen=True, slots=True)
class Function:
    """A function, or what a function pointer points at; types as C spells them."""

    returns: str
    parameters: tuple[str, ...]
    parameter_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """Where a BPF object's global variable is: in which section (map), at which offset."""

    section: str
    offset_bytes: int
    size_bytes: int


class Btf:
    """One set of BTF.

    Args:
        pointer: libbpf's.
        owner: what must be alive while this is used; None if pointer is ours to free.
    """

    def __init__(self, pointer: libbpf.BtfPtr, owner: object | None) -> None:
        self._pointer = pointer
        self._owner = owner
        if owner is None:
            weakref.finalize(self, libbpf.btf__free, pointer)

    @classmethod
    def parse(cls, path: Path) -> Self:
        """Read the BTF of an ELF object, or a file of raw BTF such as /sys/kernel/btf/vmlinux.

        Raises:
            OSError: it cannot be read, or has no BTF.
        """
        return cls(libbpf.btf__parse(os.fsencode(path), None), owner=None)

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """Read raw BTF.

        Raises:
            OSError: EINVAL: it is none.
        """
        return cls(libbpf.btf__new((ctypes.c_char * len(raw)).from_buffer_copy(raw), len(raw)), owner=None)

    def __bytes__(self) -> bytes:
        """Return it as raw BTF."""
        size_bytes = ctypes.c_uint32()
        address = libbpf.btf__raw_data(self._pointer, size_bytes)
        if address is None:
            raise MemoryError
        return ctypes.string_at(address, size_bytes.value)

    def struct(self, name: str) -> Struct | None:
        """The struct with this tag."""
        type_id = self._find(name, Kind.STRUCT)
        return None if type_id is None else self.struct_at(type_id)

    def struct_at(self, type_id: int) -> Struct | None:
        """The struct that a type is, through typedefs, qualifiers and arrays; None if it is none."""
        type_id = self._element(type_id)
        header = self._header(type_id)
        if _kind(header) is not Kind.STRUCT:
            return None
        members = tuple(self._members(type_id, header))
        return Struct(self._name(header.name_off), header.size_or_type, members)

    def has_function(self, name: str) -> bool:
        """Whether there is a function (a kfunc, say) with this name."""
        return self._find(name, Kind.FUNC) is not None

    def function(self, name: str) -> Function | None:
        """The function with this name."""
        type_id = self._find(name, Kind.FUNC)
        return None if type_id is None else self._prototype(self._header(type_id).size_or_type)

    def function_pointer(self, member: Member) -> Function | None:
        """What a member that is a function pointer points at; None if it is none."""
        header = self._header(member.type_id)
        return self._prototype(header.size_or_type) if _kind(header) is Kind.PTR else None

    def enumerator(self, enum: str, name: str) -> int | None:
        """The value of one of an enum's constants."""
        for kind in (Kind.ENUM, Kind.ENUM64):
            type_id = self._find(enum, kind)
            if type_id is not None:
                return dict(self._enumerators(type_id)).get(name)
        return None

    def variable(self, name: str) -> Variable:
        """A BPF object's global variable.

        Raises:
            KeyError: there is none with this name.
        """
        for type_id in range(1, libbpf.btf__type_cnt(self._pointer)):
            header = self._header(type_id)
            if _kind(header) is not Kind.DATASEC:
                continue
            for info in self._records(type_id, header, _VarSecinfo):
                if self._name(self._header(info.type).name_off) == name:
                    return Variable(self._name(header.name_off), info.offset, info.size)
        raise KeyError(name)

    def type_name(self, type_id: int) -> str:
        """A type as C spells it, qualifiers last: ``struct mem_cgroup *``, ``unsigned int``."""
        header = self._header(type_id)
        kind = _kind(header)
        if kind is Kind.VOID:
            return "void"
        if kind is Kind.PTR:
            target = self.type_name(header.size_or_type)
            return target + ("*" if target.endswith("*") else " *")
        if kind in _QUALIFIERS:
            return f"{self.type_name(header.size_or_type)} {_QUALIFIERS[kind]}"
        if kind is Kind.TYPE_TAG:
            return self.type_name(header.size_or_type)
        name = self._name(header.name_off) or f"({kind.name.lower()})"
        return f"{_TAGGED[kind]} {name}" if kind in _TAGGED else name

    def _prototype(self, type_id: int) -> Function | None:
        header = self._header(type_id)
        if _kind(header) is not Kind.FUNC_PROTO:
            return None
        parameters = list(self._records(type_id, header, _Param))
        return Function(
            self.type_name(header.size_or_type),
            tuple(self.type_name(parameter.type) for parameter in parameters),
            tuple(self._name(parameter.name_off) for parameter in parameters),
        )

    def _find(self, name: str, kind: Kind) -> int | None:
        try:
            return libbpf.btf__find_by_name_kind(self._pointer, name.encode(), kind)
        except FileNotFoundError:
            return None

    def _address(self, type_id: int) -> int:
        address = libbpf.btf__type_by_id(self._pointer, type_id)
        if address is None:
            raise KeyError(type_id)
        return address

    def _header(self, type_id: int) -> _Header:
        return _Header.from_address(self._address(type_id))

    def _name(self, offset: int) -> str:
        return (libbpf.btf__name_by_offset(self._pointer, offset) or b"").decode()

    def _records(self, type_id: int, header: _Header, record: type[T]) -> Iterator[T]:
        # What a type consists of follows its header in memory.
        start = self._address(type_id) + ctypes.sizeof(_Header)
        for index in range(header.info & _VLEN_MASK):
            yield record.from_address(start + index * ctypes.sizeof(record))

    def _members(self, type_id: int, header: _Header) -> Iterator[Member]:
        for raw in self._records(type_id, header, _Member):
            # With the kind flag, the offset's upper byte is a bitfield's width.
            offset_bits = raw.offset & _BITFIELD_OFFSET_MASK if header.info & _KIND_FLAG else raw.offset
            size_bytes = libbpf.btf__resolve_size(self._pointer, raw.type)
            yield Member(self._name(raw.name_off), offset_bits // 8, size_bytes, raw.type)

    def _enumerators(self, type_id: int) -> Iterator[tuple[str, int]]:
        header = self._header(type_id)
        signed = bool(header.info & _KIND_FLAG)
        if _kind(header) is Kind.ENUM:
            for short in self._records(type_id, header, _Enum):
                yield self._name(short.name_off), short.val if signed else short.val & _U32_MASK
            return
        for long in self._records(type_id, header, _Enum64):
            high = ctypes.c_int32(long.val_hi32).value if signed else long.val_hi32
            yield self._name(long.name_off), high << 32 | long.val_lo32

    def _element(self, type_id: int) -> int:
        header = self._header(type_id)
        while (kind := _kind(header)) in _TRANSPARENT or kind is Kind.ARRAY:
            type_id = self._array(type_id).type if kind is Kind.ARRAY else header.size_or_type
            header = self._header(type_id)
        return type_id

    def _array(self, type_id: int) -> _Array:
        return _Array.from_address(self._address(type_id) + ctypes.sizeof(_Header))


def _kind(header: _Header) -> Kind:
    return Kind(header.info >> _KIND_SHIFT & _KIND_MASK)
