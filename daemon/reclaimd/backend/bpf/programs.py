# SPDX-License-Identifier: GPL-2.0-or-later
"""The loaded BPF object, as the backend uses it."""

import ctypes
import errno
import mmap
import os
from pathlib import Path
from typing import Self

from reclaimd.errors import HostError
from reclaimd.kernel.gfp import gfp_kernel
from reclaimd.kernel.layout import SHARED, EventRecord, PrepareArgs, RequestArgs, RuleValue, StateValue
from reclaimd.kernel.maps import UpdateFlag
from reclaimd.kernel.mirror import require_same_layout
from reclaimd.kernel.object import BpfObject, BpfObjectError
from reclaimd.kernel.ringbuf import RingBuffer

_PACKAGE = Path(__file__).resolve().parents[2]
#: In a wheel, in a checkout, and where a distribution's package has it. One that came with this very code is preferred.
_PLACES = (
    _PACKAGE / "reclaimd.bpf.o",
    _PACKAGE.parents[1] / "build/bpf/reclaimd.bpf.o",
    Path("/usr/lib/reclaimd/reclaimd.bpf.o"),
)


class Programs:
    """Typed access to the maps, variables and programs of reclaimd.bpf.c."""

    def __init__(self, loaded: BpfObject) -> None:
        self._object = loaded
        self.ops = loaded.map("reclaimd_ops")
        self.rules = loaded.map("rules").typed(ctypes.c_uint64, RuleValue)
        self.states = loaded.map("states").typed(ctypes.c_uint64, StateValue)
        self._prepare = loaded.program("reclaimd_prepare")
        self._request = loaded.program("reclaimd_request")
        self._events = RingBuffer(loaded.map("events"))
        self._dropped = loaded.variable("dropped_events", ctypes.c_uint64)
        self._ungoverned = loaded.variable("ungoverned_charges", ctypes.c_uint64)

    @classmethod
    def load(cls) -> Self:
        """Open the object file, check it against this package, and load it.

        Raises:
            HostError: there is none, it is another version's, or the kernel does not take it.
        """
        path = object_path()
        try:
            opened = BpfObject.open(path)
        except OSError as error:
            raise HostError(f"{path}: {error.strerror}", hint="set RECLAIMD_BPF_OBJECT") from error
        try:
            require_same_layout(opened.btf(), SHARED)
            opened.variable("gfp_kernel", ctypes.c_uint32).value = gfp_kernel()
            opened.variable("page_bytes", ctypes.c_uint32).value = mmap.PAGESIZE
            opened.load()
            return cls(opened)
        except BpfObjectError as error:
            opened.close()
            raise HostError(
                f"{path}: the kernel does not take it: {error.strerror}; {_last_line(error.log)}",
                hint="reclaimd probe shows what this kernel lacks",
            ) from error
        except BaseException:
            opened.close()
            raise

    def add_state(self, cgroup_id: int) -> None:
        """Make a cgroup's state, ready for episodes.

        Raises:
            OSError: EEXIST; E2BIG: too many; ENOMEM.
        """
        self.states.update(ctypes.c_uint64(cgroup_id), StateValue(), UpdateFlag.NOEXIST)
        status = self._prepare.run(PrepareArgs(cgroup_id))
        if status:
            self.states.delete(ctypes.c_uint64(cgroup_id))
            raise OSError(-status, f"reclaimd_prepare: {os.strerror(-status)}")

    def request(self, cgroup_id: int, pages: int) -> None:
        """Begin an episode that reclaims so much.

        Raises:
            OSError: ENOENT: the cgroup has no rule, or is gone; EINVAL: the rule does not reclaim; EBUSY: an
                episode runs.
        """
        status = self._request.run(RequestArgs(cgroup_id, pages))
        if status:
            raise OSError(-status, f"reclaimd_request: {os.strerror(-status)}")

    def event_fd(self) -> int:
        """Polls readable while there are events."""
        return self._events.fileno()

    def take_events(self) -> list[EventRecord]:
        """All events that wait, oldest first."""
        return [EventRecord.from_buffer_copy(record) for record in self._events.consume()]

    def dropped_events(self) -> int:
        """How many events did not fit the ring buffer."""
        return self._dropped.value

    def ungoverned_charges(self) -> int:
        """How many charges below an attachment met no rule."""
        return self._ungoverned.value

    def close(self) -> None:
        """Unload; idempotent. Pending work is cancelled, a pass that runs comes to its end."""
        # Copies: the variables themselves lie in a mapping, which would keep the map.
        self._dropped = ctypes.c_uint64(self._dropped.value)
        self._ungoverned = ctypes.c_uint64(self._ungoverned.value)
        self._events.close()
        self._object.close()


def object_path() -> Path:
    """Where the compiled programs are: $RECLAIMD_BPF_OBJECT, or the first of _PLACES that is there."""
    override = os.environ.get("RECLAIMD_BPF_OBJECT")
    if override:
        return Path(override)
    return next((place for place in _PLACES if place.exists()), _PLACES[-1])


def _last_line(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip() and not line.startswith("processed ")]
    return lines[-1] if lines else os.strerror(errno.EINVAL)
