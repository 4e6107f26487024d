# SPDX-License-Identifier: GPL-2.0-or-later
"""The mirror of bpf_src/reclaimd.h: what the BPF programs and the daemon share.

Compared with the object's BTF before it is loaded (reclaimd.kernel.mirror). Units are in the names;
what the members mean is said in the header.
"""

import ctypes
from enum import IntEnum


class StopCode(IntEnum):
    """``enum reclaimd_stop_reason``."""

    BELOW_STOP = 1
    NO_PROGRESS = 2
    GONE = 3
    RULE_REMOVED = 4


class EventKind(IntEnum):
    """``enum reclaimd_event_kind``."""

    EPISODE = 1
    OFFLINE = 2


class RuleValue(ctypes.Structure):
    """``struct reclaimd_rule``."""

    _fields_ = (
        ("start_pages", ctypes.c_uint64),
        ("stop_pages", ctypes.c_uint64),
        ("pass_pages", ctypes.c_uint64),
        ("delay_start_pages", ctypes.c_uint64),
        ("delay_full_pages", ctypes.c_uint64),
        ("max_delay_ms", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
    )


class CountersValue(ctypes.Structure):
    """``struct reclaimd_counters``."""

    _fields_ = (
        ("triggers", ctypes.c_uint64),
        ("episodes", ctypes.c_uint64),
        ("passes", ctypes.c_uint64),
        ("pages_asked", ctypes.c_uint64),
        ("pages_reclaimed", ctypes.c_uint64),
        ("reclaim_ns", ctypes.c_uint64),
        ("give_ups", ctypes.c_uint64),
        ("delays", ctypes.c_uint64),
        ("delay_ms", ctypes.c_uint64),
        ("start_failures", ctypes.c_uint64),
    )


class BpfWq(ctypes.Structure):
    """``struct bpf_wq``: the kernel's; nothing of it is for user space."""

    _fields_ = (("__opaque", ctypes.c_uint64 * 2),)


class StateValue(ctypes.Structure):
    """``struct reclaimd_state``."""

    _fields_ = (
        ("counters", CountersValue),
        ("active", ctypes.c_uint64),
        ("not_before_ns", ctypes.c_uint64),
        ("backoff_ns", ctypes.c_uint64),
        ("idle_passes", ctypes.c_uint64),
        ("pages_per_s", ctypes.c_uint64),
        ("started_ns", ctypes.c_uint64),
        ("last_pass_ns", ctypes.c_uint64),
        ("started_usage_pages", ctypes.c_uint64),
        ("passes", ctypes.c_uint64),
        ("pages_asked", ctypes.c_uint64),
        ("pages_reclaimed", ctypes.c_uint64),
        ("reclaim_ns", ctypes.c_uint64),
        ("work", BpfWq),
    )


class EventRecord(ctypes.Structure):
    """``struct reclaimd_event``."""

    _fields_ = (
        ("kind", ctypes.c_uint64),
        ("cgroup_id", ctypes.c_uint64),
        ("episode", ctypes.c_uint64),
        ("reason", ctypes.c_uint64),
        ("started_ns", ctypes.c_uint64),
        ("ended_ns", ctypes.c_uint64),
        ("started_usage_pages", ctypes.c_uint64),
        ("ended_usage_pages", ctypes.c_uint64),
        ("passes", ctypes.c_uint64),
        ("pages_asked", ctypes.c_uint64),
        ("pages_reclaimed", ctypes.c_uint64),
        ("reclaim_ns", ctypes.c_uint64),
    )


class PrepareArgs(ctypes.Structure):
    """``struct reclaimd_prepare_args``."""

    _fields_ = (("cgroup_id", ctypes.c_uint64),)


#: struct tag -> mirror, for require_same_layout().
SHARED = {
    "reclaimd_rule": RuleValue,
    "reclaimd_counters": CountersValue,
    "reclaimd_state": StateValue,
    "reclaimd_event": EventRecord,
    "reclaimd_prepare_args": PrepareArgs,
}
