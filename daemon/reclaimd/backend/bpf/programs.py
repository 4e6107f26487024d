# SPDX-License-Identifier: GPL-2.0-or-later
"""The loaded BPF object, as the backend uses it: always by its pins."""

import ctypes
import errno
import mmap
import os
from collections.abc import Mapping
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Self

from reclaimd.backend.bpf.pins import Pins
from reclaimd.errors import HostError
from reclaimd.kernel.btf import KERNEL_BTF, Btf
from reclaimd.kernel.gfp import gfp_kernel
from reclaimd.kernel.layout import (
    SHARED,
    CgroupArgs,
    CountersValue,
    EventRecord,
    RequestArgs,
    RuleValue,
    StateValue,
)
from reclaimd.kernel.link import fill_struct_ops, leave_out_unknown
from reclaimd.kernel.maps import GlobalData, TypedMap, UpdateFlag, mapped_data
from reclaimd.kernel.mirror import require_same_layout
from reclaimd.kernel.object import BpfObject, BpfObjectError
from reclaimd.kernel.pin import Pinnable, open_pin
from reclaimd.kernel.probe import OPS_STRUCT
from reclaimd.kernel.prog import run_program
from reclaimd.kernel.ringbuf import RingBuffer

_PACKAGE = Path(__file__).resolve().parents[2]
#: In a wheel, in a checkout, and where a distribution's package has it. One that came with this very code is preferred.
_PLACES = (
    _PACKAGE / "reclaimd.bpf.o",
    _PACKAGE.parents[1] / "build/bpf/reclaimd.bpf.o",
    Path("/usr/lib/reclaimd/reclaimd.bpf.o"),
)


#: Of a SHA-256, as much as makes the name of an object.
ID_DIGITS = 16

#: The global variables that count for all cgroups.
TOTALS = ("dropped_events", "ungoverned_charges")

#: What is pinned of a loaded object, under names that stay the same in all versions.
_MAPS = {
    "ops": "reclaimd_ops",
    "rules": "rules",
    "states": "states",
    "carried": "carried",
    "events": "events",
    "data": ".bss",
    "types": "types",
}
_PROGRAMS = {
    "prepare": "reclaimd_prepare",
    "request": "reclaimd_request",
    "forget": "reclaimd_forget",
    "read_accounts": "reclaimd_read_accounts",
}


class Programs:
    """Typed access to the maps, variables and programs of reclaimd.bpf.c, loaded and pinned.

    Args:
        directory: the pins.
        btf: that of the file that was loaded.
    """

    def __init__(self, directory: Path, btf: Btf) -> None:
        self.directory = directory
        with ExitStack() as opened:
            fds = {}
            for name in (*_MAPS, *_PROGRAMS):
                fds[name] = open_pin(directory / name)
                opened.callback(os.close, fds[name])
            self.ops_fd = fds["ops"]
            self.rules = TypedMap(fds["rules"], "rules", ctypes.c_uint64, RuleValue)
            self.states = TypedMap(fds["states"], "states", ctypes.c_uint64, StateValue)
            self._carried_map = TypedMap(fds["carried"], "carried", ctypes.c_uint64, CountersValue)
            # Only we write to it.
            self._carried = {key.value: value for key, value in self._carried_map.items()}
            self._fds = {name: fds[name] for name in _PROGRAMS}
            self._events = opened.enter_context(RingBuffer(fds["events"]))
            data = mapped_data(fds["data"])
            self._totals = {name: _variable(data, btf, name) for name in TOTALS}
            self._carried_totals = {name: _variable(data, btf, f"carried_{name}") for name in TOTALS}
            self._opened = opened.pop_all()

    @classmethod
    def open(cls, pins: Pins) -> Self:
        """Open the programs that are pinned or, if these are other programs or none, load and pin ours.

        Raises:
            HostError: there is no object file, it is another version's, or the kernel does not take it.
        """
        path = object_path()
        try:
            content = path.read_bytes()
            opened = BpfObject.open(path)
        except OSError as error:
            raise HostError(f"{path}: {error.strerror}", hint="set RECLAIMD_BPF_OBJECT") from error
        with opened:
            btf = opened.btf()
            require_same_layout(btf, SHARED)
            # With what is pinned of it: a daemon that needs more does not find it in what one before has left.
            parts = " ".join((*_MAPS, *_PROGRAMS))
            object_id = sha256(content + parts.encode()).hexdigest()[:ID_DIGITS]
            return cls(pins.find_object(object_id) or _load(opened, pins, object_id), btf)

    def add_state(self, cgroup_id: int) -> None:
        """Make a cgroup's state, ready for episodes.

        Raises:
            OSError: EEXIST; E2BIG: too many; ENOMEM.
        """
        self.states.update(ctypes.c_uint64(cgroup_id), StateValue(), UpdateFlag.NOEXIST)
        status = run_program(self._fds["prepare"], CgroupArgs(cgroup_id))
        if status:
            self.states.delete(ctypes.c_uint64(cgroup_id))
            raise OSError(-status, f"reclaimd_prepare: {os.strerror(-status)}")

    def request(self, cgroup_id: int, pages: int) -> None:
        """Begin an episode that reclaims so much.

        Raises:
            OSError: ENOENT: the cgroup has no rule, or is gone; EINVAL: the rule does not reclaim; EBUSY: an
                episode runs.
        """
        status = run_program(self._fds["request"], RequestArgs(cgroup_id, pages))
        if status:
            raise OSError(-status, f"reclaimd_request: {os.strerror(-status)}")

    def read_accounts(self) -> None:
        """Have the accounts in every state brought up to date."""
        run_program(self._fds["read_accounts"])

    def event_fd(self) -> int:
        """Polls readable while there are events."""
        return self._events.fileno()

    def take_events(self) -> list[EventRecord]:
        """All events that wait, oldest first."""
        return [EventRecord.from_buffer_copy(record) for record in self._events.consume()]

    def counted(self, cgroup_id: int, state: StateValue) -> CountersValue:
        """What a cgroup's state has counted, and former programs before."""
        carried = self._carried.get(cgroup_id)
        return added(state.counters, carried) if carried else state.counters

    def total(self, name: str) -> int:
        """One of TOTALS, former programs included."""
        return self._totals[name].value + self._carried_totals[name].value

    def carry(self, cgroup_id: int, counters: CountersValue) -> None:
        """Set what former programs had counted for a cgroup.

        Raises:
            OSError: E2BIG, ENOMEM.
        """
        self._carried_map.update(ctypes.c_uint64(cgroup_id), counters)
        self._carried[cgroup_id] = counters

    def carry_totals(self, totals: Mapping[str, int]) -> None:
        """Set what former programs had counted for all cgroups."""
        for name, total in totals.items():
            self._carried_totals[name].value = total

    def forget(self, cgroup_id: int) -> None:
        """Remove a cgroup's rule, its state and what was carried over for it; an episode that runs ends."""
        run_program(self._fds["forget"], CgroupArgs(cgroup_id))
        self._carried.pop(cgroup_id, None)

    def close(self) -> None:
        """Give all handles up; idempotent. What is pinned stays at work."""
        # Copies: the variables themselves lie in a mapping, which would keep the map.
        for totals in (self._totals, self._carried_totals):
            totals.update({name: ctypes.c_uint64(total.value) for name, total in totals.items()})
        self._opened.close()


def added(one: CountersValue, other: CountersValue) -> CountersValue:
    """The sums of what two have counted: there is nothing but numbers of 64 bits in them."""
    numbers = ctypes.c_uint64 * (ctypes.sizeof(CountersValue) // ctypes.sizeof(ctypes.c_uint64))
    pairs = zip(numbers.from_buffer(one), numbers.from_buffer(other), strict=True)
    return CountersValue.from_buffer_copy(numbers(*(a + b for a, b in pairs)))


def object_path() -> Path:
    """Where the compiled programs are: $RECLAIMD_BPF_OBJECT, or the first of _PLACES that is there."""
    override = os.environ.get("RECLAIMD_BPF_OBJECT")
    if override:
        return Path(override)
    return next((place for place in _PLACES if place.exists()), _PLACES[-1])


def _load(opened: BpfObject, pins: Pins, object_id: str) -> Path:
    try:
        opened.variable("gfp_kernel", ctypes.c_uint32).value = gfp_kernel()
        opened.variable("page_bytes", ctypes.c_uint32).value = mmap.PAGESIZE
        types = bytes(opened.btf())
        opened.map(_MAPS["types"]).set_value_size(len(types))
        leave_out_unknown(opened.map(_MAPS["ops"]), OPS_STRUCT, opened.btf(), Btf.parse(KERNEL_BTF))
        opened.load()
        value = (ctypes.c_ubyte * len(types)).from_buffer_copy(types)
        opened.map(_MAPS["types"]).typed(ctypes.c_uint32, type(value)).update(ctypes.c_uint32(0), value)
        fill_struct_ops(opened.map(_MAPS["ops"]))
    except BpfObjectError as error:
        raise HostError(
            f"{opened.path}: the kernel does not take it: {error.strerror}; {_last_line(error.log)}",
            hint="reclaimd probe shows what this kernel lacks",
        ) from error
    # libbpf prefixes the name of the map of global variables with the object's.
    parts: dict[str, Pinnable] = {name: opened.program(of) for name, of in _PROGRAMS.items()}
    for name, of in _MAPS.items():
        parts[name] = next(each for each in opened.maps.values() if each.name.endswith(of))
    return pins.add_object(object_id, parts)


def _variable(data: GlobalData, btf: Btf, name: str) -> ctypes.c_uint64:
    return data.at(btf.variable(name).offset_bytes, ctypes.c_uint64)


def _last_line(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip() and not line.startswith("processed ")]
    return lines[-1] if lines else os.strerror(errno.EINVAL)
