# SPDX-License-Identifier: GPL-2.0-or-later
"""The mirror of bpf_src/reclaimd.h: what the BPF programs and the daemon share.

Compared with the object's BTF before it is loaded (reclaimd.kernel.mirror). Units are in the names;
what the members mean is said in the header.
"""

import ctypes
from enum import IntEnum, IntFlag

MAX_CONDITIONS = 8
MAX_GROUPS = 4
MAX_THROTTLES = 4
MAX_METRICS = 16
MAX_REASONS = 32
TIME_BUCKETS = 16


class MetricCode(IntEnum):
    """``enum reclaimd_metric``."""

    USAGE = 0
    PSI_SOME = 1
    PSI_FULL = 2
    PGFAULTS = 3
    REFAULTS = 4
    REFAULTS_ANON = 5
    REFAULTS_FILE = 6
    EVENTS_HIGH = 7
    EVENTS_MAX = 8
    EVENTS_OOM = 9
    SWAP_FREE = 10
    RECLAIMED = 11
    AFTER = 12


class StartCode(IntEnum):
    """``enum reclaimd_start_reason``: what an episode may begin for besides a metric of start."""

    REQUESTED = 15


class StopCode(IntEnum):
    """``enum reclaimd_stop_reason``: what an episode may end for besides a metric of stop."""

    NO_PROGRESS = 16
    FLOOR = 17
    GONE = 18
    RULE_REMOVED = 19
    MONITORED = 20


class RuleFlag(IntFlag):
    """``enum reclaimd_rule_flags``."""

    MONITOR = 1
    TIMED = 2
    STOP_TIMED = 4
    READS_STATS = 8
    READS_PSI = 16


class ProtectCode(IntEnum):
    """``enum reclaimd_protect_as``."""

    NONE = 0
    LOW = 1
    MIN = 2


class EventKind(IntEnum):
    """``enum reclaimd_event_kind``."""

    EPISODE = 1
    OFFLINE = 2
    PROTECTED = 3


class ConditionValue(ctypes.Structure):
    """``struct reclaimd_condition``."""

    _fields_ = (
        ("bound", ctypes.c_uint64),
        ("window_ns", ctypes.c_uint64),
        ("metric", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
    )


class CombinationValue(ctypes.Structure):
    """``struct reclaimd_combination``."""

    _fields_ = (
        ("conditions", ConditionValue * MAX_CONDITIONS),
        ("groups", ctypes.c_uint32 * MAX_GROUPS),
        ("nr_conditions", ctypes.c_uint32),
        ("any_of_all", ctypes.c_uint32),
    )


class ThrottleValue(ctypes.Structure):
    """``struct reclaimd_throttle``."""

    _fields_ = (
        ("cgroup_id", ctypes.c_uint64),
        ("delay_ms", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
    )


class RuleValue(ctypes.Structure):
    """``struct reclaimd_rule``."""

    _fields_ = (
        ("start", CombinationValue),
        ("stop", CombinationValue),
        ("protect", CombinationValue),
        ("throttles", ThrottleValue * MAX_THROTTLES),
        ("fingerprint", ctypes.c_uint64),
        ("wake_pages", ctypes.c_uint64),
        ("write_back_pages", ctypes.c_uint64),
        ("aim_pages", ctypes.c_uint64),
        ("floor_pages", ctypes.c_uint64),
        ("pass_pages", ctypes.c_uint64),
        ("rate_pages_per_s", ctypes.c_uint64),
        ("cpu_ns_per_s", ctypes.c_uint64),
        ("cooldown_ns", ctypes.c_uint64),
        ("backoff_min_ns", ctypes.c_uint64),
        ("backoff_max_ns", ctypes.c_uint64),
        ("linger_ns", ctypes.c_uint64),
        ("protect_for_ns", ctypes.c_uint64),
        ("delay_start_pages", ctypes.c_uint64),
        ("delay_full_pages", ctypes.c_uint64),
        ("max_delay_ms", ctypes.c_uint32),
        ("protect_as", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("swappiness", ctypes.c_int32),
    )


class TimesValue(ctypes.Structure):
    """``struct reclaimd_times``."""

    _fields_ = (
        ("sum_ns", ctypes.c_uint64),
        ("buckets", ctypes.c_uint64 * TIME_BUCKETS),
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
        ("reclaim_cpu_ns", ctypes.c_uint64),
        ("give_ups", ctypes.c_uint64),
        ("held_back", ctypes.c_uint64),
        ("delays", ctypes.c_uint64),
        ("delay_us", ctypes.c_uint64),
        ("refusals", ctypes.c_uint64),
        ("write_backs", ctypes.c_uint64),
        ("throttles", ctypes.c_uint64),
        ("throttle_ms", ctypes.c_uint64),
        ("protections", ctypes.c_uint64),
        ("ticks", ctypes.c_uint64),
        ("start_failures", ctypes.c_uint64),
        ("started_for", ctypes.c_uint64 * MAX_METRICS),
        ("ended_for", ctypes.c_uint64 * MAX_REASONS),
        ("durations", TimesValue),
        ("first_passes", TimesValue),
        ("first_pages", TimesValue),
    )


class AccountsValue(ctypes.Structure):
    """``struct reclaimd_accounts``."""

    _fields_ = (
        ("read", ctypes.c_uint64),
        ("usage_pages", ctypes.c_uint64),
        ("psi_some_ns", ctypes.c_uint64),
        ("psi_full_ns", ctypes.c_uint64),
        ("events_low", ctypes.c_uint64),
        ("events_high", ctypes.c_uint64),
        ("events_max", ctypes.c_uint64),
        ("events_oom", ctypes.c_uint64),
        ("events_oom_kill", ctypes.c_uint64),
    )


class WindowValue(ctypes.Structure):
    """``struct reclaimd_window``."""

    _fields_ = (
        ("started_ns", ctypes.c_uint64),
        ("started_value", ctypes.c_uint64),
        ("previous_growth", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
    )


class BpfTimer(ctypes.Structure):
    """``struct bpf_timer``: the kernel's; nothing of it is for user space."""

    _fields_ = (("__opaque", ctypes.c_uint64 * 2),)


class BpfWq(ctypes.Structure):
    """``struct bpf_wq``: the kernel's; nothing of it is for user space."""

    _fields_ = (("__opaque", ctypes.c_uint64 * 2),)


class StateValue(ctypes.Structure):
    """``struct reclaimd_state``."""

    _fields_ = (
        ("counters", CountersValue),
        ("accounts", AccountsValue),
        ("phase", ctypes.c_uint64),
        ("not_before_ns", ctypes.c_uint64),
        ("backoff_ns", ctypes.c_uint64),
        ("idle_passes", ctypes.c_uint64),
        ("pages_per_s", ctypes.c_uint64),
        ("turns_end_ns", ctypes.c_uint64),
        ("started_ns", ctypes.c_uint64),
        ("last_pass_ns", ctypes.c_uint64),
        ("started_usage_pages", ctypes.c_uint64),
        ("started_metric", ctypes.c_uint64),
        ("started_value", ctypes.c_uint64),
        ("requested_pages", ctypes.c_uint64),
        ("passes", ctypes.c_uint64),
        ("pages_asked", ctypes.c_uint64),
        ("pages_reclaimed", ctypes.c_uint64),
        ("reclaim_ns", ctypes.c_uint64),
        ("reclaim_cpu_ns", ctypes.c_uint64),
        ("budget_started_ns", ctypes.c_uint64),
        ("budget_pages", ctypes.c_uint64),
        ("budget_cpu_ns", ctypes.c_uint64),
        ("budget_held", ctypes.c_uint64),
        ("wrote_back_ns", ctypes.c_uint64),
        ("ticking", ctypes.c_uint64),
        ("charged_ns", ctypes.c_uint64),
        ("measured_ns", ctypes.c_uint64),
        ("measured_for", ctypes.c_uint64),
        ("measured_since_ns", ctypes.c_uint64),
        ("start_truth", ctypes.c_uint64),
        ("protected_until_ns", ctypes.c_uint64),
        ("readings", ctypes.c_uint64 * MAX_METRICS),
        ("start_windows", WindowValue * MAX_CONDITIONS),
        ("stop_windows", WindowValue * MAX_CONDITIONS),
        ("protect_windows", WindowValue * MAX_CONDITIONS),
        ("timer", BpfTimer),
        ("work", BpfWq),
    )


class EventRecord(ctypes.Structure):
    """``struct reclaimd_event``."""

    _fields_ = (
        ("kind", ctypes.c_uint64),
        ("cgroup_id", ctypes.c_uint64),
        ("episode", ctypes.c_uint64),
        ("start_metric", ctypes.c_uint64),
        ("start_value", ctypes.c_uint64),
        ("reason", ctypes.c_uint64),
        ("stop_value", ctypes.c_uint64),
        ("started_ns", ctypes.c_uint64),
        ("ended_ns", ctypes.c_uint64),
        ("started_usage_pages", ctypes.c_uint64),
        ("ended_usage_pages", ctypes.c_uint64),
        ("passes", ctypes.c_uint64),
        ("pages_asked", ctypes.c_uint64),
        ("pages_reclaimed", ctypes.c_uint64),
        ("reclaim_ns", ctypes.c_uint64),
        ("reclaim_cpu_ns", ctypes.c_uint64),
    )


class CgroupArgs(ctypes.Structure):
    """``struct reclaimd_cgroup_args``."""

    _fields_ = (("cgroup_id", ctypes.c_uint64),)


class RequestArgs(ctypes.Structure):
    """``struct reclaimd_request_args``."""

    _fields_ = (("cgroup_id", ctypes.c_uint64), ("pages", ctypes.c_uint64))


#: struct tag -> mirror, for require_same_layout().
SHARED = {
    "reclaimd_rule": RuleValue,
    "reclaimd_counters": CountersValue,
    "reclaimd_state": StateValue,
    "reclaimd_event": EventRecord,
    "reclaimd_cgroup_args": CgroupArgs,
    "reclaimd_request_args": RequestArgs,
}
