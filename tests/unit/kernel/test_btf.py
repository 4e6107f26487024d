# SPDX-License-Identifier: GPL-2.0-or-later

from pathlib import Path

import pytest

from reclaimd.kernel.btf import Btf, Function, Kind, Member, Struct, Variable
from tests.unit.kernel.btf_blob import BtfBlob

pytestmark = pytest.mark.usefixtures("needs_libbpf")


@pytest.fixture
def blob() -> BtfBlob:
    return BtfBlob()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "btf"


def test_struct_has_its_members_in_order(blob: BtfBlob, path: Path) -> None:
    u8, u64 = blob.integer("u8", 1), blob.integer("u64", 8)
    blob.struct("rule", 24, [("mode", u8, 0), ("start", u64, 8), ("stop", u64, 16)])
    assert Btf.parse(blob.write(path)).struct("rule") == Struct(
        "rule", 24, (Member("mode", 0, 1, u8), Member("start", 8, 8, u64), Member("stop", 16, 8, u64))
    )


def test_member_is_found_by_name(blob: BtfBlob, path: Path) -> None:
    u32 = blob.integer("u32", 4)
    blob.struct("pair", 8, [("left", u32, 0), ("right", u32, 4)])
    struct = Btf.parse(blob.write(path)).struct("pair")
    assert struct
    assert struct.member("right") == Member("right", 4, 4, u32)
    assert struct.member("middle") is None


def test_member_sizes_go_through_typedefs_and_arrays(blob: BtfBlob, path: Path) -> None:
    u16 = blob.integer("u16", 2)
    index = blob.integer("int", 4, signed=True)
    alias = blob.refer(Kind.TYPEDEF, u16, "port_t")
    ports = blob.array(blob.refer(Kind.CONST, alias), index, 5)
    flexible = blob.array(u16, index, 0)
    blob.struct("ports", 12, [("one", alias, 0), ("five", ports, 2), ("rest", flexible, 12)])
    struct = Btf.parse(blob.write(path)).struct("ports")
    assert struct
    assert [(member.name, member.offset_bytes, member.size_bytes) for member in struct.members] == [
        ("one", 0, 2),
        ("five", 2, 10),
        ("rest", 12, 0),
    ]


def test_bitfields_are_at_the_byte_they_begin_in(blob: BtfBlob, path: Path) -> None:
    u32 = blob.integer("u32", 4)
    blob.bitfields("flags", 4, [("low", u32, 0, 3), ("high", u32, 19, 1)])
    struct = Btf.parse(blob.write(path)).struct("flags")
    assert struct
    assert [member.offset_bytes for member in struct.members] == [0, 2]


def test_struct_behind_arrays_and_qualifiers_is_found(blob: BtfBlob, path: Path) -> None:
    u32 = blob.integer("u32", 4)
    inner = blob.struct("inner", 4, [("value", u32, 0)])
    many = blob.array(blob.refer(Kind.VOLATILE, inner), u32, 3)
    btf = Btf.parse(blob.write(path))
    found = btf.struct_at(many)
    assert found
    assert found.name == "inner"
    assert btf.struct_at(u32) is None


def test_unknown_names_are_none(blob: BtfBlob, path: Path) -> None:
    blob.integer("u32", 4)
    btf = Btf.parse(blob.write(path))
    assert btf.struct("u32") is None
    assert btf.function("u32") is None
    assert btf.enumerator("u32", "NOTHING") is None
    assert not btf.has_function("u32")


def test_function_has_types_as_c_spells_them(blob: BtfBlob, path: Path) -> None:
    memcg = blob.struct("mem_cgroup", 8, [])
    ulong = blob.integer("unsigned long", 8)
    gfp = blob.refer(Kind.TYPEDEF, blob.integer("unsigned int", 4), "gfp_t")
    chars = blob.refer(Kind.PTR, blob.refer(Kind.CONST, blob.integer("char", 1)))
    lists = blob.refer(Kind.PTR, chars)
    blob.function(
        "reclaim",
        blob.integer("long", 8, signed=True),
        {"memcg": blob.refer(Kind.PTR, memcg), "nr_pages": ulong, "gfp_mask": gfp, "names": lists},
    )
    btf = Btf.parse(blob.write(path))
    assert btf.has_function("reclaim")
    assert btf.function("reclaim") == Function(
        "long",
        ("struct mem_cgroup *", "unsigned long", "gfp_t", "char const **"),
        ("memcg", "nr_pages", "gfp_mask", "names"),
    )


def test_function_pointers_have_a_prototype(blob: BtfBlob, path: Path) -> None:
    number = blob.integer("int", 4, signed=True)
    void = 0
    hook = blob.refer(Kind.PTR, blob.prototype(void, {"": number}))
    blob.struct("ops", 16, [("hook", hook, 0), ("count", number, 8)])
    btf = Btf.parse(blob.write(path))
    ops = btf.struct("ops")
    assert ops
    assert [btf.function_pointer(member) for member in ops.members] == [
        Function("void", ("int",), ("",)),
        None,
    ]


def test_unsigned_enumerators(blob: BtfBlob, path: Path) -> None:
    blob.enum("bits", {"LOW": 1, "TOP": 1 << 31})
    blob.enum64("wide", {"LOW": 1, "TOP": 1 << 63})
    btf = Btf.parse(blob.write(path))
    assert btf.enumerator("bits", "TOP") == 1 << 31
    assert btf.enumerator("wide", "TOP") == 1 << 63
    assert btf.enumerator("wide", "MIDDLE") is None


def test_signed_enumerators(blob: BtfBlob, path: Path) -> None:
    blob.enum("level", {"NONE": -1, "SOME": 1}, signed=True)
    blob.enum64("depth", {"NONE": -1, "DEEP": -(1 << 40)}, signed=True)
    btf = Btf.parse(blob.write(path))
    assert btf.enumerator("level", "NONE") == -1
    assert btf.enumerator("level", "SOME") == 1
    assert btf.enumerator("depth", "NONE") == -1
    assert btf.enumerator("depth", "DEEP") == -(1 << 40)


def test_variables_are_found_in_their_sections(blob: BtfBlob, path: Path) -> None:
    u32, u64 = blob.integer("u32", 4), blob.integer("u64", 8)
    blob.section(".bss", 16, [("count", u32, 0, 4), ("total", u64, 8, 8)])
    blob.section(".rodata", 4, [("limit", u32, 0, 4)])
    btf = Btf.parse(blob.write(path))
    assert btf.variable("total") == Variable(".bss", 8, 8)
    assert btf.variable("limit") == Variable(".rodata", 0, 4)
    with pytest.raises(KeyError):
        btf.variable("nothing")


def test_what_is_no_btf_is_an_os_error(path: Path) -> None:
    path.write_bytes(b"nothing of the sort")
    with pytest.raises(OSError, match="btf__parse"):
        Btf.parse(path)
    with pytest.raises(OSError, match="btf__new"):
        Btf.from_bytes(b"nothing of the sort")


def test_raw_it_can_be_kept_and_read_again(blob: BtfBlob, path: Path) -> None:
    u32, u64 = blob.integer("u32", 4), blob.integer("u64", 8)
    blob.section(".bss", 16, [("count", u32, 0, 4), ("total", u64, 8, 8)])
    raw = bytes(Btf.parse(blob.write(path)))
    assert Btf.from_bytes(raw).variable("total") == Variable(".bss", 8, 8)
    assert bytes(Btf.from_bytes(raw)) == raw


def test_missing_file_is_an_os_error(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Btf.parse(path)
