# SPDX-License-Identifier: GPL-2.0-or-later
"""libbpf's functions, typed one by one and otherwise raw: the other modules give them shape.

Names, arguments and results are those of libbpf's own headers (bpf/libbpf.h, bpf/bpf.h,
bpf/btf.h), as of version 1.1. Every function raises OSError with its own name in the message
where C returns a negative errno, or a null pointer that means an error.
"""

import ctypes
from collections.abc import Callable
from ctypes import c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from reclaimd.kernel import log
from reclaimd.kernel.cfunction import ByReference, SharedLibrary, negative_is_errno, null_sets_errno

LIBBPF = SharedLibrary("libbpf.so.1", "libbpf1", log.redirect)

if TYPE_CHECKING:
    from _ctypes import _CData

    #: Any ctypes object: the memory that C reads and writes.
    CData: TypeAlias = _CData
else:
    CData = Any  # ctypes does not name that base at run time


class Pointer(c_void_p):
    """A pointer to something of libbpf's; false if null."""

    def __bool__(self) -> bool:
        """Whether it points anywhere."""
        return self.value is not None


class ObjectPtr(Pointer):
    """``struct bpf_object *``."""


class MapPtr(Pointer):
    """``struct bpf_map *``."""


class ProgramPtr(Pointer):
    """``struct bpf_program *``."""


class LinkPtr(Pointer):
    """``struct bpf_link *``."""


class RingBufferPtr(Pointer):
    """``struct ring_buffer *``."""


class BtfPtr(Pointer):
    """``struct btf *``."""


#: ``ring_buffer_sample_fn``: (context, record, record's size in bytes) -> 0, or negative to stop.
RING_BUFFER_SAMPLE_FN = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t)

Fd: TypeAlias = Annotated[int, c_int]
U32: TypeAlias = Annotated[int, c_uint32]
U64: TypeAlias = Annotated[int, c_uint64]
CStr: TypeAlias = Annotated[bytes, c_char_p]
Address: TypeAlias = Annotated[int | None, c_void_p]
Memory: TypeAlias = Annotated[CData | None, ByReference]
Status: TypeAlias = Annotated[int, c_int, negative_is_errno]


class LinkCreateOpts(ctypes.Structure):
    """``struct bpf_link_create_opts``, as far as a struct_ops link needs it."""

    _fields_ = (("sz", c_size_t), ("flags", c_uint32))


class TestRunOpts(ctypes.Structure):
    """``struct bpf_test_run_opts``."""

    _fields_ = (
        ("sz", c_size_t),
        ("data_in", c_void_p),
        ("data_out", c_void_p),
        ("data_size_in", c_uint32),
        ("data_size_out", c_uint32),
        ("ctx_in", c_void_p),
        ("ctx_out", c_void_p),
        ("ctx_size_in", c_uint32),
        ("ctx_size_out", c_uint32),
        ("retval", c_uint32),
        ("repeat", c_int),
        ("duration", c_uint32),
        ("flags", c_uint32),
        ("cpu", c_uint32),
        ("batch_size", c_uint32),
    )


@LIBBPF.function
def libbpf_version_string() -> CStr:
    """``v1.5`` and the like."""
    raise NotImplementedError


@LIBBPF.function
def libbpf_strerror(
    error: Annotated[int, c_int], text: Memory, size: Annotated[int, c_size_t]
) -> Annotated[int, c_int]:
    """Put an errno, or one of libbpf's own error numbers, in words."""
    raise NotImplementedError


@LIBBPF.function
def libbpf_num_possible_cpus() -> Status:
    """How many values a lookup in a per-CPU map gives."""
    raise NotImplementedError


# Objects


@LIBBPF.function
def bpf_object__open_file(path: CStr, opts: Memory) -> Annotated[ObjectPtr, ObjectPtr, null_sets_errno]:
    """Parse an ELF object; nothing is loaded yet."""
    raise NotImplementedError


@LIBBPF.function
def bpf_object__load(obj: ObjectPtr) -> Status:
    """Create the maps, relocate the programs, and load them."""
    raise NotImplementedError


@LIBBPF.function
def bpf_object__close(obj: ObjectPtr) -> None:
    """Free everything of the object; what is pinned or linked lives on."""
    raise NotImplementedError


@LIBBPF.function
def bpf_object__btf(obj: ObjectPtr) -> BtfPtr:
    """The object's own BTF (owned by the object), or null."""
    raise NotImplementedError


@LIBBPF.function
def bpf_object__next_map(obj: ObjectPtr, previous: MapPtr) -> MapPtr:
    """The map after previous (null: the first), or null after the last."""
    raise NotImplementedError


@LIBBPF.function
def bpf_object__next_program(obj: ObjectPtr, previous: ProgramPtr) -> ProgramPtr:
    """The program after previous (null: the first), or null after the last."""
    raise NotImplementedError


# Maps


@LIBBPF.function
def bpf_map__name(map_p: MapPtr) -> CStr:
    """The name it has in the object."""
    raise NotImplementedError


@LIBBPF.function
def bpf_map__fd(map_p: MapPtr) -> Status:
    """The loaded map's file descriptor, owned by the object."""
    raise NotImplementedError


@LIBBPF.function
def bpf_map__set_max_entries(map_p: MapPtr, max_entries: U32) -> Status:
    """Size the map; before the object is loaded."""
    raise NotImplementedError


@LIBBPF.function
def bpf_map__set_value_size(map_p: MapPtr, size_bytes: U32) -> Status:
    """Size the values, before the object is loaded."""
    raise NotImplementedError


@LIBBPF.function
def bpf_map__initial_value(
    map_p: MapPtr, size: Annotated[c_size_t, ByReference]
) -> Annotated[int | None, c_void_p]:
    """Where a global-data map's bytes are before it is loaded, and how many; null if it has none."""
    raise NotImplementedError


@LIBBPF.function
def bpf_map__attach_struct_ops(map_p: MapPtr) -> Annotated[LinkPtr, LinkPtr, null_sets_errno]:
    """Fill a struct_ops map's value and link it to nothing in particular."""
    raise NotImplementedError


@LIBBPF.function
def bpf_map_lookup_elem(fd: Fd, key: Memory, value: Memory) -> Status:
    """Copy the value of a key; ENOENT."""
    raise NotImplementedError


@LIBBPF.function
def bpf_map_lookup_batch(  # noqa: PLR0913, PLR0917  libbpf's own
    fd: Fd,
    in_batch: Memory,
    out_batch: Memory,
    keys: Memory,
    values: Memory,
    count: Annotated[c_uint32, ByReference],
    opts: Memory,
) -> Status:
    """Copy up to count elements from in_batch (None: the first) on; ENOENT with the last ones, whose number is in count."""
    raise NotImplementedError


@LIBBPF.function
def bpf_map_update_elem(fd: Fd, key: Memory, value: Memory, flags: U64) -> Status:
    """Set the value of a key."""
    raise NotImplementedError


@LIBBPF.function
def bpf_map_delete_elem(fd: Fd, key: Memory) -> Status:
    """Remove a key; ENOENT."""
    raise NotImplementedError


@LIBBPF.function
def bpf_map_get_next_key(fd: Fd, key: Memory, next_key: Memory) -> Status:
    """The key after key (None: the first); ENOENT after the last."""
    raise NotImplementedError


# Programs


@LIBBPF.function
def bpf_program__name(program: ProgramPtr) -> CStr:
    """The C function's name."""
    raise NotImplementedError


@LIBBPF.function
def bpf_program__fd(program: ProgramPtr) -> Status:
    """The loaded program's file descriptor, owned by the object."""
    raise NotImplementedError


@LIBBPF.function
def bpf_program__set_autoload(program: ProgramPtr, autoload: Annotated[bool, ctypes.c_bool]) -> Status:
    """Whether bpf_object__load loads it; before that."""
    raise NotImplementedError


@LIBBPF.function
def bpf_program__attach(program: ProgramPtr) -> Annotated[LinkPtr, LinkPtr, null_sets_errno]:
    """Attach where the program's section name says."""
    raise NotImplementedError


@LIBBPF.function
def bpf_prog_test_run_opts(fd: Fd, opts: Annotated[TestRunOpts, ByReference]) -> Status:
    """BPF_PROG_RUN."""
    raise NotImplementedError


# Links


@LIBBPF.function
def bpf_link__destroy(link: LinkPtr) -> Status:
    """Detach (unless pinned) and free."""
    raise NotImplementedError


@LIBBPF.function
def bpf_link_create(
    object_fd: Fd, target_fd: Fd, attach_type: U32, opts: Annotated[LinkCreateOpts, ByReference]
) -> Status:
    """BPF_LINK_CREATE: the new link's file descriptor."""
    raise NotImplementedError


@LIBBPF.function
def bpf_link_update(link_fd: Fd, new_object_fd: Fd, opts: Memory) -> Status:
    """BPF_LINK_UPDATE: swap a link's program or struct_ops map."""
    raise NotImplementedError


@LIBBPF.function
def bpf_link_detach(link_fd: Fd) -> Status:
    """BPF_LINK_DETACH: the link stays, attached to nothing."""
    raise NotImplementedError


# Anything with a file descriptor or an id


@LIBBPF.function
def bpf_obj_pin(fd: Fd, path: CStr) -> Status:
    """Keep a map, program or link alive under a path of a bpf filesystem."""
    raise NotImplementedError


@LIBBPF.function
def bpf_obj_get(path: CStr) -> Status:
    """A new file descriptor of what is pinned at path."""
    raise NotImplementedError


@LIBBPF.function
def bpf_obj_get_info_by_fd(fd: Fd, info: Memory, size: Annotated[c_uint32, ByReference]) -> Status:
    """Fill the bpf_{map,prog,link}_info that fits the descriptor."""
    raise NotImplementedError


@LIBBPF.function
def bpf_map_get_next_id(start_id: U32, next_id: Annotated[c_uint32, ByReference]) -> Status:
    """The lowest map id above start_id; ENOENT after the last."""
    raise NotImplementedError


@LIBBPF.function
def bpf_prog_get_next_id(start_id: U32, next_id: Annotated[c_uint32, ByReference]) -> Status:
    """The lowest program id above start_id; ENOENT after the last."""
    raise NotImplementedError


@LIBBPF.function
def bpf_link_get_next_id(start_id: U32, next_id: Annotated[c_uint32, ByReference]) -> Status:
    """The lowest link id above start_id; ENOENT after the last."""
    raise NotImplementedError


# Ring buffers


@LIBBPF.function
def ring_buffer__new(
    map_fd: Fd,
    sample_cb: Annotated[Callable[..., int], RING_BUFFER_SAMPLE_FN],
    ctx: Address,
    opts: Memory,
) -> Annotated[RingBufferPtr, RingBufferPtr, null_sets_errno]:
    """A consumer of a ring buffer map; it keeps the bare pointer to sample_cb."""
    raise NotImplementedError


@LIBBPF.function
def ring_buffer__free(ring: RingBufferPtr) -> None:
    """Free the consumer."""
    raise NotImplementedError


@LIBBPF.function
def ring_buffer__consume(ring: RingBufferPtr) -> Status:
    """Hand every waiting record to sample_cb; how many there were."""
    raise NotImplementedError


@LIBBPF.function
def ring_buffer__epoll_fd(ring: RingBufferPtr) -> Status:
    """A descriptor that polls readable while records wait; owned by the consumer."""
    raise NotImplementedError


# BTF


@LIBBPF.function
def btf__load_vmlinux_btf() -> Annotated[BtfPtr, BtfPtr, null_sets_errno]:
    """The running kernel's BTF."""
    raise NotImplementedError


@LIBBPF.function
def btf__parse(path: CStr, btf_ext: Address) -> Annotated[BtfPtr, BtfPtr, null_sets_errno]:
    """The BTF of an ELF file, or of a file of raw BTF."""
    raise NotImplementedError


@LIBBPF.function
def btf__new(data: Memory, size: U32) -> Annotated[BtfPtr, BtfPtr, null_sets_errno]:
    """The BTF that raw data says; the data is copied."""
    raise NotImplementedError


@LIBBPF.function
def btf__raw_data(btf: BtfPtr, size: Annotated[c_uint32, ByReference]) -> Annotated[int | None, c_void_p]:
    """The address of the raw data, which goes with the BTF, and its size in bytes."""
    raise NotImplementedError


@LIBBPF.function
def btf__free(btf: BtfPtr) -> None:
    """Free what btf__load_vmlinux_btf, btf__parse or btf__new gave."""
    raise NotImplementedError


@LIBBPF.function
def btf__type_cnt(btf: BtfPtr) -> Annotated[int, c_uint32]:
    """One more than the highest type id."""
    raise NotImplementedError


@LIBBPF.function
def btf__find_by_name_kind(btf: BtfPtr, name: CStr, kind: U32) -> Status:
    """The id of the named type of that kind; ENOENT."""
    raise NotImplementedError


@LIBBPF.function
def btf__type_by_id(btf: BtfPtr, type_id: U32) -> Annotated[int | None, c_void_p]:
    """The address of the ``struct btf_type``; null for an id that is not there."""
    raise NotImplementedError


@LIBBPF.function
def btf__name_by_offset(btf: BtfPtr, offset: U32) -> Annotated[bytes | None, c_char_p]:
    """A string of the string section."""
    raise NotImplementedError


@LIBBPF.function
def btf__resolve_size(btf: BtfPtr, type_id: U32) -> Annotated[int, ctypes.c_int64, negative_is_errno]:
    """The size in bytes of a type, through typedefs, qualifiers and arrays."""
    raise NotImplementedError
