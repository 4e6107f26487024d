# SPDX-License-Identifier: GPL-2.0-or-later
"""The test program hooks.bpf.c from the outside: its ops, its answers and what it has counted."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from reclaimd.kernel.link import Link, attach_struct_ops
from reclaimd.kernel.object import BpfObject
from tests.kernel.cgroups import Cgroup, Charger


class Hook(IntEnum):
    """Mirrors enum hook."""

    ONLINE = 0
    OFFLINE = 1
    BELOW_LOW = 2
    BELOW_MIN = 3
    CHARGED = 4
    UNCHARGED = 5
    REFUSE = 6


class CallKey(ctypes.Structure):
    """Mirrors struct call_key."""

    _fields_ = (("cgroup_id", ctypes.c_uint64), ("hook", ctypes.c_uint32), ("set", ctypes.c_uint32))


class CallRecord(ctypes.Structure):
    """Mirrors struct call_record."""

    _fields_ = (
        ("calls", ctypes.c_uint64),
        ("pages", ctypes.c_uint64),
        ("batches", ctypes.c_uint64),
        ("delay_ms", ctypes.c_uint64),
        ("last_limit", ctypes.c_uint64),
        ("last_usage", ctypes.c_uint64),
        ("last_tgid", ctypes.c_uint64),
    )


#: The ops in hooks.bpf.c that have all hooks, and the number each reports.
SETS = {"first": 1, "second": 2, "third": 3}

_SETTINGS = {
    "lost_calls": ctypes.c_uint64,
    "delayed_cgroup_id": ctypes.c_uint64,
    "delay_ms": ctypes.c_uint32,
    "low_cgroup_id": ctypes.c_uint64,
    "min_cgroup_id": ctypes.c_uint64,
    "refused_cgroup_id": ctypes.c_uint64,
    "dawdle_us": ctypes.c_uint32,
}


class Hooks:
    """The loaded object. Its state is cleared when this is made."""

    def __init__(self, obj: BpfObject) -> None:
        self.object = obj
        self._calls = obj.map("calls").typed(CallKey, CallRecord)
        for name in _SETTINGS:
            self.configure(name, 0)
        self.forget()

    def configure(self, setting: str, value: int) -> None:
        """Change one of the program's global variables."""
        self.object.variable(setting, _SETTINGS[setting]).value = value

    def delay(self, cgroup: Cgroup, delay: int) -> None:
        """From here on, delay charges to a cgroup by what memcg_charged returns, and count from zero."""
        self.configure("delayed_cgroup_id", cgroup.cgroup_id)
        self.configure("delay_ms", delay)
        self.forget()

    def attach(self, ops: str, cgroup: Cgroup, flags: int = 0) -> Link:
        """Attach the named ops; the link is to be closed."""
        with cgroup.opened() as fd:
            return attach_struct_ops(self.object.map(ops), fd, flags)

    @contextmanager
    def attached(self, ops: str, cgroup: Cgroup, flags: int = 0) -> Iterator[Link]:
        """Attach the named ops for as long as the context lasts."""
        with self.attach(ops, cgroup, flags) as link:
            yield link

    def record(self, hook: Hook, cgroup: Cgroup | int, ops: str = "first") -> CallRecord:
        """What was counted for a cgroup; all zero if nothing was."""
        assert not self.object.variable("lost_calls", ctypes.c_uint64).value
        cgroup_id = cgroup if isinstance(cgroup, int) else cgroup.cgroup_id
        return self._calls.lookup(CallKey(cgroup_id, hook, SETS[ops])) or CallRecord()

    def calls(self, hook: Hook, cgroup: Cgroup | int, ops: str = "first") -> int:
        """How often a hook was called for a cgroup."""
        return int(self.record(hook, cgroup, ops).calls)

    def cgroups_called_for(self, hook: Hook) -> set[int]:
        """The ids of all cgroups that a hook of any ops was called for."""
        return {key.cgroup_id for key in self._calls if key.hook == hook}

    def forget(self) -> None:
        """Count from zero again."""
        for key in self._calls:
            self._calls.delete(key)

    def ops_of(self, cgroup: Cgroup) -> str | None:
        """Whose ops a cgroup has, found out by charging to it; None if it has none.

        Only cgroups whose children have no memory controller can be charged to.
        """
        self.forget()
        with Charger(cgroup) as charger:
            charger.anon(256)
        found = [ops for ops in SETS if self.calls(Hook.CHARGED, cgroup, ops)]
        assert len(found) <= 1, f"{cgroup.path} has the ops of {found}"
        return found[0] if found else None
