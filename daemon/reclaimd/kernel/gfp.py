# SPDX-License-Identifier: GPL-2.0-or-later
"""GFP flags of the running kernel, from its BTF.

Their bit numbers are enumerators of an enum without a name (include/linux/gfp_types.h), which neither
CO-RE nor libbpf's look-up by name can reach: the type section is read through once.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from reclaimd.errors import HostError
from reclaimd.kernel.btf import KERNEL_BTF

# Kinds and what follows the three words of struct btf_type, in words (uapi/linux/btf.h).
_FIXED_WORDS = {1: 1, 3: 3, 14: 1, 17: 1}  # INT, ARRAY, VAR, DECL_TAG
_WORDS_PER_MEMBER = {4: 3, 5: 3, 6: 2, 13: 2, 15: 3, 19: 3}  # STRUCT UNION ENUM FUNC_PROTO DATASEC ENUM64
_ENUM = 6

#: ``GFP_KERNEL``, spelled out.
GFP_KERNEL_BITS = (
    "___GFP_DIRECT_RECLAIM_BIT",
    "___GFP_KSWAPD_RECLAIM_BIT",
    "___GFP_IO_BIT",
    "___GFP_FS_BIT",
)


def gfp_kernel(btf_path: Path = KERNEL_BTF) -> int:
    """The value of ``GFP_KERNEL``.

    Args:
        btf_path: the kernel's raw BTF.

    Raises:
        HostError: the kernel's BTF cannot be read, or does not have the flags.
    """
    try:
        raw = btf_path.read_bytes()
    except OSError as error:
        raise HostError(
            f"{btf_path}: {error.strerror}", hint="use a kernel with CONFIG_DEBUG_INFO_BTF=y"
        ) from error
    bits = _enumerators(raw, GFP_KERNEL_BITS)
    if bits is None:
        raise HostError(f"{btf_path}: no enum has {GFP_KERNEL_BITS[0]}")
    return sum(1 << bit for bit in bits)


def _enumerators(raw: bytes, names: Sequence[str]) -> list[int] | None:
    """The values of an anonymous enum's enumerators; None if there is no enum that has them all."""
    header = memoryview(raw)[:24].cast("I")
    header_bytes, types_at, types_bytes, strings_at, strings_bytes = header[1:6]
    strings = raw[header_bytes + strings_at :][:strings_bytes]
    offsets = [strings.find(b"\0" + name.encode() + b"\0") + 1 for name in names]
    types = memoryview(raw)[header_bytes + types_at :][:types_bytes].cast("I")
    for enum in _anonymous_enums(types):
        values = dict(zip(enum[0::2], enum[1::2], strict=True))
        if all(offset in values for offset in offsets):
            return [values[offset] for offset in offsets]
    return None


def _anonymous_enums(types: memoryview) -> Iterator[memoryview]:
    """The enumerators, as pairs of name offset and value, of one anonymous enum after the other."""
    at = 0
    while at < len(types):
        name, info = types[at], types[at + 1]
        kind, members = info >> 24 & 0x7F, info & 0xFFFFFF
        at += 3
        words = _FIXED_WORDS.get(kind, 0) + _WORDS_PER_MEMBER.get(kind, 0) * members
        if kind == _ENUM and not name:
            yield types[at : at + words]
        at += words
