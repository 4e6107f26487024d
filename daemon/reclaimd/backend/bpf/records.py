# SPDX-License-Identifier: GPL-2.0-or-later
"""What the BPF programs tell, in the words of reclaimd.backend.base."""

from collections.abc import Mapping
from ctypes import c_uint64
from mmap import PAGESIZE as PAGE_BYTES
from typing import TypeVar

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
from reclaimd.cgroup.reading import Reading
from reclaimd.config.metric import Metric
from reclaimd.kernel.layout import (
    AccountsValue,
    CountersValue,
    EventKind,
    EventRecord,
    MetricCode,
    StartCode,
    StopCode,
)

N = TypeVar("N", StartReason, StopReason)

WORD_BYTES = 8
NS_PER_US = 1_000

_METRICS = {int(code): Metric[code.name] for code in MetricCode}
_STARTS = {
    int(code): StartReason[code.name]
    for code in (*MetricCode, *StartCode)
    if code.name in StartReason.__members__
}
_REASONS = {int(code): StopReason[code.name] for code in (*MetricCode, *StopCode)}


def _words(name: str) -> slice:
    """Where a member of CountersValue is when that is read as numbers of 64 bits."""
    member = getattr(CountersValue, name)
    return slice(member.offset // WORD_BYTES, (member.offset + member.size) // WORD_BYTES)


_STARTED_FOR = _words("started_for")
_ENDED_FOR = _words("ended_for")
_DURATIONS = _words("durations")
_FIRST_PASSES = _words("first_passes")
_FIRST_PAGES = _words("first_pages")
#: What comes first, each one word, is called the same on both sides.
_NUMBERS = tuple(name for name, kind in CountersValue._fields_ if kind is c_uint64)


def event(record: EventRecord) -> Event:
    """What a record of the ring buffer says."""
    if record.kind == EventKind.EPISODE:
        return _episode(record)
    if record.kind == EventKind.PROTECTED:
        return ProtectionBegan(record.cgroup_id, _METRICS[record.start_metric], record.start_value)
    return CgroupGone(record.cgroup_id)


def counters(counted: CountersValue, accounts: AccountsValue) -> Counters:
    """What was counted for a cgroup, and its own accounts."""
    words = _all_words(counted)
    return Counters(
        **dict(zip(_NUMBERS, words, strict=False)),
        started_for=_named(words[_STARTED_FOR], _STARTS),
        ended_for=_named(words[_ENDED_FOR], _REASONS),
        durations=_times(words[_DURATIONS]),
        first_passes=_times(words[_FIRST_PASSES]),
        first_pages=_times(words[_FIRST_PAGES]),
        reading=_reading(*_all_words(accounts)),
    )


def _all_words(value: CountersValue | AccountsValue) -> list[int]:
    # One by one, ctypes would take longer for these than the kernel takes to copy them.
    return memoryview(value).cast("B").cast("Q").tolist()


def _reading(read: int, usage_pages: int, some_ns: int, full_ns: int, *events: int) -> Reading | None:
    stalled_us = (some_ns // NS_PER_US, full_ns // NS_PER_US)
    return Reading(usage_pages * PAGE_BYTES, stalled_us, events) if read else None


def _named(counts: list[int], names: Mapping[int, N]) -> dict[N, int]:
    return {names[code]: count for code, count in enumerate(counts) if count} if any(counts) else {}


def _times(words: list[int]) -> Times:
    return Times(words[0], tuple(words[1:]))


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
