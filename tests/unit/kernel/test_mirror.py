# SPDX-License-Identifier: GPL-2.0-or-later

import ctypes
from pathlib import Path

import pytest

from reclaimd.errors import HostError
from reclaimd.kernel.btf import Btf
from reclaimd.kernel.mirror import copy_common, require_same_layout
from tests.unit.kernel.btf_blob import BtfBlob

pytestmark = pytest.mark.usefixtures("needs_libbpf")


class Span(ctypes.Structure):
    """Mirrors struct span."""

    _fields_ = (("start", ctypes.c_uint64), ("stop", ctypes.c_uint64))


class Rule(ctypes.Structure):
    """Mirrors struct rule."""

    _fields_ = (("mode", ctypes.c_uint32), ("spans", Span * 2), ("name", ctypes.c_char * 8))


@pytest.fixture
def btf(tmp_path: Path) -> Btf:
    """What Span and Rule mirror."""
    blob = BtfBlob()
    u32, u64, char = blob.integer("u32", 4), blob.integer("u64", 8), blob.integer("char", 1)
    span = blob.struct("span", 16, [("start", u64, 0), ("stop", u64, 8)])
    spans, name = blob.array(span, u32, 2), blob.array(char, u32, 8)
    blob.struct("rule", 48, [("mode", u32, 0), ("spans", spans, 8), ("name", name, 40)])
    return Btf.parse(blob.write(tmp_path / "btf"))


def refused(btf: Btf, tag: str, mirror: type[ctypes.Structure]) -> str:
    with pytest.raises(HostError) as caught:
        require_same_layout(btf, {tag: mirror})
    assert caught.value.hint == "install both from the same build"
    return caught.value.message


def test_faithful_mirrors_are_accepted(btf: Btf) -> None:
    require_same_layout(btf, {"span": Span, "rule": Rule})


def test_missing_struct(btf: Btf) -> None:
    assert "struct state is not in the BPF object" in refused(btf, "state", Span)


def test_member_that_the_mirror_lacks(btf: Btf) -> None:
    class Half(ctypes.Structure):
        _fields_ = (("start", ctypes.c_uint64),)

    assert refused(btf, "span", Half).endswith("struct span has a member stop that Half lacks")


def test_member_that_only_the_mirror_has(btf: Btf) -> None:
    class More(ctypes.Structure):
        _fields_ = (("start", ctypes.c_uint64), ("stop", ctypes.c_uint64), ("extra", ctypes.c_uint8))

    assert refused(btf, "span", More).endswith("More has a member extra that struct span lacks")


def test_member_of_another_size(btf: Btf) -> None:
    class Narrow(ctypes.Structure):
        _fields_ = (("start", ctypes.c_uint32), ("_pad", ctypes.c_uint32), ("stop", ctypes.c_uint64))

    message = refused(btf, "span", Narrow)
    assert message.endswith("struct span: start is 8 bytes at offset 0, Narrow has 4 bytes at offset 0")


def test_member_at_another_offset(btf: Btf) -> None:
    class Swapped(ctypes.Structure):
        _fields_ = (("stop", ctypes.c_uint64), ("start", ctypes.c_uint64))

    message = refused(btf, "span", Swapped)
    assert message.endswith("struct span: start is 8 bytes at offset 0, Swapped has 8 bytes at offset 8")


def test_total_size(tmp_path: Path) -> None:
    blob = BtfBlob()
    u64 = blob.integer("u64", 8)
    blob.struct("span", 32, [("start", u64, 0), ("stop", u64, 8)])
    aligned = Btf.parse(blob.write(tmp_path / "aligned"))
    assert refused(aligned, "span", Span).endswith("struct span has 32 bytes, Span 16")


def test_nested_struct_is_compared_too(btf: Btf) -> None:
    class Reversed(ctypes.Structure):
        _fields_ = (("stop", ctypes.c_uint64), ("start", ctypes.c_uint64))

    class Outer(ctypes.Structure):
        _fields_ = (("mode", ctypes.c_uint32), ("spans", Reversed * 2), ("name", ctypes.c_char * 8))

    assert "struct span: start is 8 bytes at offset 0, Reversed" in refused(btf, "rule", Outer)


def test_struct_mirrored_as_something_else(btf: Btf) -> None:
    class Flat(ctypes.Structure):
        _fields_ = (("mode", ctypes.c_uint32), ("spans", ctypes.c_uint64 * 4), ("name", ctypes.c_char * 8))

    assert "struct rule: spans is (array), mirrored as " in refused(btf, "rule", Flat)


class Newer(ctypes.Structure):
    """A struct rule of another version: more of some members, less of others, elsewhere."""

    _fields_ = (
        ("added", ctypes.c_uint64),
        ("span", Span),
        ("name", ctypes.c_char * 12),
        ("mode", ctypes.c_uint32),
    )


def test_what_two_versions_have_in_common_is_copied_by_name(tmp_path: Path) -> None:
    blob = BtfBlob()
    u32, u64, char = blob.integer("u32", 4), blob.integer("u64", 8), blob.integer("char", 1)
    span = blob.struct("span", 16, [("stop", u64, 0), ("dropped", u64, 8)])
    blob.struct("rule", 32, [("mode", u32, 0), ("name", blob.array(char, u32, 8), 4), ("span", span, 16)])
    older = Btf.parse(blob.write(tmp_path / "older"))
    struct = older.struct("rule")
    assert struct is not None
    newer = Newer(added=1, span=Span(start=2))
    data = (7).to_bytes(4, "little") + b"abcdefgh" + bytes(4) + (5).to_bytes(8, "little") + bytes(8)
    copy_common(older, struct, data, newer)
    assert (newer.added, newer.mode, newer.name) == (1, 7, b"abcdefgh")
    assert (newer.span.start, newer.span.stop) == (2, 5)
