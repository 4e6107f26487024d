# SPDX-License-Identifier: GPL-2.0-or-later
"""Raw BTF made to measure (the kernel's Documentation/bpf/btf.rst), for tests that have no such kernel."""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from reclaimd.kernel.btf import Kind

MAGIC = 0xEB9F
VERSION = 1
HEADER_BYTES = 24
KIND_FLAG = 1 << 31
SIGNED = 1


class BtfBlob:
    """Types are added one by one; each method returns the new type's id, for others to refer to."""

    def __init__(self) -> None:
        self._strings = b"\0"
        self._types: list[bytes] = []

    def integer(self, name: str, size_bytes: int, *, signed: bool = False) -> int:
        """An integer type."""
        encoding = struct.pack("<I", (SIGNED << 24 if signed else 0) | size_bytes * 8)
        return self._add(name, Kind.INT, 0, size_bytes, encoding)

    def refer(self, kind: Kind, target: int, name: str = "") -> int:
        """A pointer, a qualifier, a typedef; or a function, whose target is its prototype."""
        return self._add(name, kind, 0, target)

    def array(self, element: int, index: int, count: int) -> int:
        """An array type."""
        return self._add("", Kind.ARRAY, 0, 0, struct.pack("<III", element, index, count))

    def struct(self, name: str, size_bytes: int, members: Sequence[tuple[str, int, int]]) -> int:
        """A struct; members are (name, type id, offset in bytes)."""
        payload = b"".join(
            struct.pack("<III", self._string(member), type_id, offset_bytes * 8)
            for member, type_id, offset_bytes in members
        )
        return self._add(name, Kind.STRUCT, len(members), size_bytes, payload)

    def bitfields(self, name: str, size_bytes: int, members: Sequence[tuple[str, int, int, int]]) -> int:
        """A struct of bitfields; members are (name, type id, offset in bits, width in bits)."""
        payload = b"".join(
            struct.pack("<III", self._string(member), type_id, width_bits << 24 | offset_bits)
            for member, type_id, offset_bits, width_bits in members
        )
        return self._add(name, Kind.STRUCT, len(members) | KIND_FLAG, size_bytes, payload)

    def enum(self, name: str, constants: Mapping[str, int], *, signed: bool = False) -> int:
        """An enum of 32 bits."""
        payload = b"".join(
            struct.pack("<II", self._string(constant), value & 0xFFFFFFFF)
            for constant, value in constants.items()
        )
        return self._add(name, Kind.ENUM, len(constants) | (KIND_FLAG if signed else 0), 4, payload)

    def enum64(self, name: str, constants: Mapping[str, int], *, signed: bool = False) -> int:
        """An enum of 64 bits."""
        payload = b"".join(
            struct.pack("<III", self._string(constant), value & 0xFFFFFFFF, value >> 32 & 0xFFFFFFFF)
            for constant, value in constants.items()
        )
        return self._add(name, Kind.ENUM64, len(constants) | (KIND_FLAG if signed else 0), 8, payload)

    def function(self, name: str, returns: int, parameters: Mapping[str, int]) -> int:
        """A function with its prototype."""
        return self.refer(Kind.FUNC, self.prototype(returns, parameters), name)

    def prototype(self, returns: int, parameters: Mapping[str, int]) -> int:
        """What a function, or a pointer to one, refers to."""
        payload = b"".join(
            struct.pack("<II", self._string(name), type_id) for name, type_id in parameters.items()
        )
        return self._add("", Kind.FUNC_PROTO, len(parameters), returns, payload)

    def section(self, name: str, size_bytes: int, variables: Sequence[tuple[str, int, int, int]]) -> int:
        """A section of global variables: (name, type id, offset in bytes, size in bytes)."""
        payload = b""
        for variable, type_id, offset_bytes, variable_bytes in variables:
            linkage_global = struct.pack("<I", 1)
            variable_id = self._add(variable, Kind.VAR, 0, type_id, linkage_global)
            payload += struct.pack("<III", variable_id, offset_bytes, variable_bytes)
        return self._add(name, Kind.DATASEC, len(variables), size_bytes, payload)

    def write(self, path: Path) -> Path:
        """Write the file that btf__parse reads."""
        types = b"".join(self._types)
        header = struct.pack(
            "<HBBIIIII", MAGIC, VERSION, 0, HEADER_BYTES, 0, len(types), len(types), len(self._strings)
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(header + types + self._strings)
        return path

    def _add(self, name: str, kind: Kind, vlen: int, size_or_type: int, payload: bytes = b"") -> int:
        info = kind << 24 | vlen
        self._types.append(struct.pack("<III", self._string(name), info, size_or_type) + payload)
        return len(self._types)

    def _string(self, text: str) -> int:
        if not text:
            return 0
        offset = len(self._strings)
        self._strings += text.encode() + b"\0"
        return offset
