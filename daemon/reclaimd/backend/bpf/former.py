# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of another version that ours take the place of, and what they have counted.

Nothing is known of them but what their maps are called and what their BTF, which is in one of these, says.
"""

import ctypes
import os
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from reclaimd.backend.bpf.programs import TOTALS, added
from reclaimd.kernel.btf import Btf, Struct
from reclaimd.kernel.layout import CountersValue
from reclaimd.kernel.maps import TypedMap, map_info, mapped_data
from reclaimd.kernel.mirror import copy_common
from reclaimd.kernel.pin import open_pin

#: How long episodes that run may take to end once their rules are gone: a pass, unless the machine hangs.
SETTLE_S = 2.0
_LOOK_AGAIN_S = 0.005

Totals = dict[str, int]
CountersOf = dict[int, CountersValue]


class Former:
    """A loaded object of which no link is left, or soon none.

    Args:
        directory: its pins.
        after_ours: it was loaded after our programs, so what it was given it may have from them.

    Raises:
        OSError, KeyError: it is not of our making, or no longer whole.
    """

    def __init__(self, directory: Path, *, after_ours: bool) -> None:
        self.directory = directory
        self._after_ours = after_ours
        with ExitStack() as opened:
            self.ops_fd = self._open("ops", opened)
            self.ops_id = map_info(self.ops_fd).id
            self._rules = _any_map(self._open("rules", opened))
            self._states = _any_map(self._open("states", opened))
            self._carried = _any_map(self._open("carried", opened))
            self._data = mapped_data(self._open("data", opened))
            self._btf = _btf_in(self._open("types", opened))
            self._state, self._counters = self._structs()
            self._opened = opened.pop_all()

    def end_episodes(self) -> None:
        """Take its rules away, and wait for the episodes that run to end."""
        for key in self._rules:
            self._rules.delete(key)
        give_up_at_s = time.monotonic() + SETTLE_S
        while self._busy() and time.monotonic() < give_up_at_s:
            time.sleep(_LOOK_AGAIN_S)

    def counters(self, before: CountersOf) -> CountersOf:
        """What it and those before it have counted, by cgroup id.

        Args:
            before: what those before it have; not looked at where it says itself what it was given.
        """
        at = self._member(self._state, "counters")
        carried = {key.value: self._copied(bytes(value), 0) for key, value in self._carried.items()}
        counted = {key.value: self._copied(bytes(value), at) for key, value in self._states.items()}
        first = before if self._after_ours else before | carried
        return {key: added(value, first.get(key, CountersValue())) for key, value in counted.items()}

    def totals(self, before: Totals) -> Totals:
        """The same of the counters for all cgroups."""
        own = {name: self._variable(name) for name in TOTALS}
        given = {name: 0 if self._after_ours else self._variable(f"carried_{name}") for name in TOTALS}
        carried = {name: given[name] or before.get(name, 0) for name in TOTALS}
        return {name: own[name] + carried[name] for name in TOTALS}

    def close(self) -> None:
        """Give all handles up."""
        self._opened.close()

    def _open(self, name: str, opened: ExitStack) -> int:
        fd = open_pin(self.directory / name)
        opened.callback(os.close, fd)
        return fd

    def _structs(self) -> tuple[Struct, Struct]:
        structs = [self._btf.struct(name) for name in ("reclaimd_state", "reclaimd_counters")]
        state, counters = structs
        if state is None or counters is None:
            raise KeyError("reclaimd_state")
        return state, counters

    def _busy(self) -> bool:
        at = self._member(self._state, "phase")
        return any(bytes(value)[at] for _, value in self._states.items())

    def _member(self, struct: Struct, name: str) -> int:
        member = struct.member(name)
        if member is None:
            raise KeyError(name)
        return member.offset_bytes

    def _variable(self, name: str) -> int:
        return self._data.at(self._btf.variable(name).offset_bytes, ctypes.c_uint64).value

    def _copied(self, data: bytes, at: int) -> CountersValue:
        counters = CountersValue()
        copy_common(self._btf, self._counters, data[at:], counters)
        return counters


def inherited(formers: Iterable[Former]) -> tuple[CountersOf, Totals]:
    """What all former programs have counted; those loaded first come first."""
    counters: CountersOf = {}
    totals: Totals = {}
    for former in formers:
        counters |= former.counters(counters)
        totals = former.totals(totals)
    return counters, totals


def _btf_in(fd: int) -> Btf:
    values = TypedMap(fd, "types", ctypes.c_uint32, ctypes.c_ubyte * map_info(fd).value_size)
    value = values.lookup(ctypes.c_uint32(0))
    if value is None:
        raise KeyError("types")
    return Btf.from_bytes(bytes(value))


def _any_map(fd: int) -> TypedMap[ctypes.c_uint64, Any]:
    return TypedMap(fd, "former", ctypes.c_uint64, ctypes.c_ubyte * map_info(fd).value_size)
