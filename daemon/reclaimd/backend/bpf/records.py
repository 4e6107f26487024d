# SPDX-License-Identifier: GPL-2.0-or-later
"""What the BPF programs tell, in the words of reclaimd.backend.base."""

import ctypes

from reclaimd.backend.base import (
    CgroupGone,
    Counters,
    EpisodeEnded,
    Event,
    ProtectionBegan,
    StartReason,
    StopReason,
    Times,
)
from reclaimd.config.metric import Metric
from reclaimd.kernel.layout import (
    CountersValue,
    EventKind,
    EventRecord,
    MetricCode,
    StartCode,
    StopCode,
    TimesValue,
)

_METRICS = {int(code): Metric[code.name] for code in MetricCode}
_STARTS = {
    int(code): StartReason[code.name]
    for code in (*MetricCode, *StartCode)
    if code.name in StartReason.__members__
}
_REASONS = {int(code): StopReason[code.name] for code in (*MetricCode, *StopCode)}

#: The counters that are plain numbers; they are called the same on both sides.
_NUMBERS = tuple(name for name, kind in CountersValue._fields_ if kind is ctypes.c_uint64)


def event(record: EventRecord) -> Event:
    """What a record of the ring buffer says."""
    if record.kind == EventKind.EPISODE:
        return _episode(record)
    if record.kind == EventKind.PROTECTED:
        return ProtectionBegan(record.cgroup_id, _METRICS[record.start_metric], record.start_value)
    return CgroupGone(record.cgroup_id)


def counters(value: CountersValue) -> Counters:
    """A state's counters."""
    return Counters(
        **{name: getattr(value, name) for name in _NUMBERS},
        started_for={_STARTS[code]: count for code, count in enumerate(value.started_for) if count},
        ended_for={_REASONS[code]: count for code, count in enumerate(value.ended_for) if count},
        durations=_times(value.durations),
        first_passes=_times(value.first_passes),
        first_pages=_times(value.first_pages),
    )


def _times(value: TimesValue) -> Times:
    return Times(value.sum_ns, tuple(value.buckets))


def _episode(record: EventRecord) -> EpisodeEnded:
    return EpisodeEnded(
        cgroup_id=record.cgroup_id,
        episode=record.episode,
        started_ns=record.started_ns,
        ended_ns=record.ended_ns,
        reclaim_ns=record.reclaim_ns,
        passes=record.passes,
        pages_asked=record.pages_asked,
        pages_reclaimed=record.pages_reclaimed,
        usage_started_pages=record.started_usage_pages,
        usage_ended_pages=record.ended_usage_pages,
        started_for=_STARTS[record.start_metric],
        start_value=record.start_value,
        reason=_REASONS[record.reason],
        stop_value=record.stop_value,
        reclaim_cpu_ns=record.reclaim_cpu_ns,
    )
