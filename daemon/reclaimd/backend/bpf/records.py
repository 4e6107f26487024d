# SPDX-License-Identifier: GPL-2.0-or-later
"""What the BPF programs tell, in the words of reclaimd.backend.base."""

from reclaimd.backend.base import CgroupGone, Counters, EpisodeEnded, Event, ProtectionBegan, StopReason
from reclaimd.config.metric import Metric
from reclaimd.kernel.layout import CountersValue, EventKind, EventRecord, MetricCode, StopCode


def event(record: EventRecord) -> Event:
    """What a record of the ring buffer says."""
    if record.kind == EventKind.EPISODE:
        return _episode(record)
    if record.kind == EventKind.PROTECTED:
        return ProtectionBegan(record.cgroup_id, _metric(record.start_metric), record.start_value)
    return CgroupGone(record.cgroup_id)


def counters(value: CountersValue) -> Counters:
    """A state's counters."""
    return Counters(**{name: getattr(value, name) for name, _ in CountersValue._fields_})


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
        started_for=_metric(record.start_metric),
        start_value=record.start_value,
        reason=_reason(record.reason),
        stop_value=record.stop_value,
        reclaim_cpu_ns=record.reclaim_cpu_ns,
    )


def _metric(code: int) -> Metric:
    return Metric[MetricCode(code).name]


def _reason(code: int) -> StopReason:
    names = MetricCode if code <= max(MetricCode) else StopCode
    return StopReason[names(code).name]
