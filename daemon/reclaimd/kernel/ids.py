# SPDX-License-Identifier: GPL-2.0-or-later
"""The ids of all BPF links, maps and programs that live in this kernel."""

import ctypes
from collections.abc import Callable, Iterator

from reclaimd.kernel import libbpf


def link_ids() -> frozenset[int]:
    """The ids of all links.

    Raises:
        OSError: EPERM.
    """
    return frozenset(_iterate(libbpf.bpf_link_get_next_id))


def map_ids() -> frozenset[int]:
    """The ids of all maps.

    Raises:
        OSError: EPERM.
    """
    return frozenset(_iterate(libbpf.bpf_map_get_next_id))


def program_ids() -> frozenset[int]:
    """The ids of all programs.

    Raises:
        OSError: EPERM.
    """
    return frozenset(_iterate(libbpf.bpf_prog_get_next_id))


def _iterate(get_next_id: Callable[[int, ctypes.c_uint32], int]) -> Iterator[int]:
    current = ctypes.c_uint32(0)
    while True:
        try:
            get_next_id(current.value, current)
        except FileNotFoundError:
            return
        yield current.value
