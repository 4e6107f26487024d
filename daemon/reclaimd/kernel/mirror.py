# SPDX-License-Identifier: GPL-2.0-or-later
"""ctypes structures and what BPF objects were compiled with: whether they are the same, and what they share."""

import ctypes
from collections.abc import Mapping
from typing import Any

from reclaimd.errors import HostError
from reclaimd.kernel.btf import Btf, Struct


def require_same_layout(btf: Btf, mirrors: Mapping[str, type[ctypes.Structure]]) -> None:
    """Compare ctypes structures, and those nested in them, with an object's structs.

    Args:
        btf: the BPF object's.
        mirrors: struct tag -> its mirror.

    Raises:
        HostError: names the first member (or struct) that differs.
    """
    for name, mirror in mirrors.items():
        struct = btf.struct(name)
        if struct is None:
            raise _mismatch(f"struct {name} is not in the BPF object")
        _compare(btf, struct, mirror)


def copy_common(btf: Btf, struct: Struct, data: bytes, mirror: ctypes.Structure) -> None:
    """Copy what a struct of another version and a mirror have in common, by the members' names.

    Of arrays of different lengths it is the beginning. All else in the mirror stays as it is.

    Args:
        btf: the other version's.
        struct: in that.
        data: such a struct.
        mirror: what to copy to.
    """
    for name, field, *_ in mirror._fields_:
        member = struct.member(name)
        if member is None:
            continue
        content = data[member.offset_bytes : member.offset_bytes + member.size_bytes]
        nested, is_struct = btf.struct_at(member.type_id), issubclass(field, ctypes.Structure)
        if nested is not None and is_struct:
            copy_common(btf, nested, content, getattr(mirror, name))
        elif nested is None and not is_struct:
            place = getattr(type(mirror), name)
            at = ctypes.addressof(mirror) + place.offset
            ctypes.memmove(at, content, min(len(content), place.size))


def _compare(btf: Btf, struct: Struct, mirror: type[ctypes.Structure]) -> None:
    where = f"struct {struct.name}"
    fields = {field[0]: field[1] for field in mirror._fields_}
    for member in struct.members:
        if member.name not in fields:
            raise _mismatch(
                f"{where} has a member {member.name or '(anonymous)'} that {mirror.__name__} lacks"
            )
        ours = getattr(mirror, member.name)
        theirs_at = (member.offset_bytes, member.size_bytes)
        if theirs_at != (ours.offset, ours.size):
            raise _mismatch(
                f"{where}: {member.name} is {member.size_bytes} bytes at offset {member.offset_bytes},"
                f" {mirror.__name__} has {ours.size} bytes at offset {ours.offset}"
            )
        _compare_nested(btf, member.type_id, fields.pop(member.name), f"{where}: {member.name}")
    if fields:
        raise _mismatch(f"{mirror.__name__} has a member {next(iter(fields))} that {where} lacks")
    if struct.size_bytes != ctypes.sizeof(mirror):
        raise _mismatch(f"{where} has {struct.size_bytes} bytes, {mirror.__name__} {ctypes.sizeof(mirror)}")


def _compare_nested(btf: Btf, type_id: int, field: Any, where: str) -> None:  # noqa: ANN401  a ctypes class: they share no base
    while issubclass(field, ctypes.Array):
        field = field._type_
    struct = btf.struct_at(type_id)
    if (struct is not None) != issubclass(field, ctypes.Structure):
        raise _mismatch(f"{where} is {btf.type_name(type_id)}, mirrored as {field.__name__}")
    if struct is not None:
        _compare(btf, struct, field)


def _mismatch(what: str) -> HostError:
    return HostError(
        f"the BPF object does not fit this reclaimd: {what}",
        hint="install both from the same build",
    )
