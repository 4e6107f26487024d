# SPDX-License-Identifier: GPL-2.0-or-later
"""BPF links: struct_ops maps attached to cgroups."""

import ctypes
import errno
import os
import select
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from reclaimd.kernel import libbpf
from reclaimd.kernel.btf import Btf
from reclaimd.kernel.maps import BpfMap
from reclaimd.kernel.pin import Pinnable, open_pin

#: ``enum bpf_attach_type`` (uapi/linux/bpf.h).
BPF_STRUCT_OPS = 44

#: Flags of BPF_LINK_CREATE for a struct_ops map (uapi/linux/bpf.h, as patched).
BPF_F_ALLOW_OVERRIDE = 1 << 0
BPF_F_CGROUP_FD = 1 << 7


class _RawLinkInfo(ctypes.Structure):
    """``struct bpf_link_info`` with its struct_ops arm (uapi/linux/bpf.h, as patched)."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("prog_id", ctypes.c_uint32),
        ("_pad", ctypes.c_uint32),  # the union after it is 8-aligned
        ("map_id", ctypes.c_uint32),
        ("_pad_map_id", ctypes.c_uint32),
        ("cgroup_id", ctypes.c_uint64),
    )


@dataclass(frozen=True, slots=True)
class LinkInfo:
    """What BPF_OBJ_GET_INFO_BY_FD says of a struct_ops link.

    Attributes:
        link_id: the link's own id.
        map_id: the struct_ops map's; None once the link is detached.
        cgroup_id: the cgroup's id (its directory's inode number); None without a cgroup.
    """

    link_id: int
    map_id: int | None
    cgroup_id: int | None


class Link(Pinnable):
    """A struct_ops link; closing its last reference (descriptor or pin) detaches it.

    Args:
        fd: the link's file descriptor; owned from here on.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd

    @classmethod
    def open_pin(cls, path: Path) -> Self:
        """The link that is pinned at path.

        Raises:
            OSError: ENOENT.
        """
        return cls(open_pin(path))

    def fileno(self) -> int:
        """The link's file descriptor: polls POLLHUP once it is detached."""
        return self._fd

    def info(self) -> LinkInfo:
        """What the kernel says of it."""
        raw = _RawLinkInfo()
        libbpf.bpf_obj_get_info_by_fd(self._fd, raw, ctypes.c_uint32(ctypes.sizeof(raw)))
        return LinkInfo(raw.id, raw.map_id or None, raw.cgroup_id or None)

    def fdinfo(self) -> dict[str, str]:
        """The lines of /proc/self/fdinfo for it."""
        lines = Path(f"/proc/self/fdinfo/{self._fd}").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    def update(self, new_map_fd: int) -> None:
        """Put another struct_ops map, whose value is filled in, in place of the present one.

        Raises:
            OSError: EOPNOTSUPP: this kind of struct_ops cannot be swapped; ENOLINK: detached; EBUSY: what
                is attached above or below has to have the same ops.
        """
        libbpf.bpf_link_update(self._fd, new_map_fd, None)

    def detach(self) -> None:
        """Detach it; the descriptor stays open, attached to nothing."""
        libbpf.bpf_link_detach(self._fd)

    def wait_detached(self, timeout_ms: int) -> bool:
        """Wait until something detached it; whether that is so within the time."""
        poller = select.poll()
        poller.register(self._fd, 0)  # POLLHUP is always reported
        return any(events & select.POLLHUP for _, events in poller.poll(timeout_ms))

    def close(self) -> None:
        """Give the descriptor up; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def leave_out_unknown(struct_ops: BpfMap, name: str, object_btf: Btf, kernel_btf: Btf) -> None:
    """Have a struct_ops map load on a kernel that has not all of its members: their programs are left out.

    Args:
        struct_ops: a map that is not loaded yet.
        name: the struct's, in both.
        object_btf: of the object that it is from.
        kernel_btf: of the kernel that it is for.
    """
    declared, known = object_btf.struct(name), kernel_btf.struct(name)
    if declared is None or known is None:
        return
    value = struct_ops.initial_data()
    for member in declared.members:
        if known.member(member.name) is None:
            # A pointer to one of libbpf's programs, which it then does not load either.
            value.at(member.offset_bytes, ctypes.c_void_p).value = None


def fill_struct_ops(struct_ops: BpfMap) -> None:
    """Give a struct_ops map its value: which programs are its members. Idempotent.

    Only libbpf knows the value, and fills it in as the first half of linking the map to nothing in
    particular; memcg_bpf_ops refuses that second half with EINVAL, for want of a cgroup.

    Raises:
        OSError: the kernel did not take the value.
    """
    if struct_ops.struct_ops_filled:
        return
    try:
        link = libbpf.bpf_map__attach_struct_ops(struct_ops.pointer)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    else:
        libbpf.bpf_link__destroy(link)
    struct_ops.struct_ops_filled = True


def attach_struct_ops(struct_ops: BpfMap, cgroup_fd: int, flags: int = 0) -> Link:
    """Link a struct_ops map to a cgroup; the same map may be linked to many.

    Args:
        struct_ops: a loaded map from SEC(".struct_ops.link").
        cgroup_fd: a descriptor of the cgroup's directory.
        flags: BPF_F_ALLOW_OVERRIDE or 0; BPF_F_CGROUP_FD is added.

    Raises:
        OSError: EBUSY: the cgroup, an ancestor or a descendant has other ops in the way; EINVAL: no
            such flag, or not a cgroup of the memory controller; ENODEV and the like: it is being removed.
    """
    fill_struct_ops(struct_ops)
    return create_link(struct_ops.fileno(), cgroup_fd, flags | BPF_F_CGROUP_FD)


def create_link(map_fd: int, target_fd: int, flags: int) -> Link:
    """BPF_LINK_CREATE for a struct_ops map whose value is filled in.

    Raises:
        OSError: see attach_struct_ops.
    """
    opts = libbpf.LinkCreateOpts(sz=ctypes.sizeof(libbpf.LinkCreateOpts), flags=flags)
    return Link(libbpf.bpf_link_create(map_fd, target_fd, BPF_STRUCT_OPS, opts))
