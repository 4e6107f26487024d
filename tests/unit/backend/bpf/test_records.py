# SPDX-License-Identifier: GPL-2.0-or-later

import ctypes
import dataclasses
from mmap import PAGESIZE

import pytest

from reclaimd.backend.base import (
    TIME_BOUNDS_NS,
    CgroupGone,
    Counters,
    EpisodeEnded,
    ProtectionBegan,
    StartReason,
    StopReason,
    Times,
)
from reclaimd.backend.bpf.records import counters, event
from reclaimd.cgroup.reading import EVENTS, Reading
from reclaimd.config.metric import Metric
from reclaimd.kernel import layout
from reclaimd.kernel.layout import (
    AccountsValue,
    CountersValue,
    EventKind,
    EventRecord,
    MetricCode,
    StartCode,
    StopCode,
)


def episode(**members: int) -> EpisodeEnded:
    ended = event(EventRecord(kind=EventKind.EPISODE, **members))
    assert isinstance(ended, EpisodeEnded)
    return ended


@pytest.mark.parametrize("code", [*MetricCode, *StopCode])
def test_every_reason_has_its_name(code: MetricCode | StopCode) -> None:
    assert episode(reason=code).reason is StopReason[code.name]


def test_every_reason_can_be_told() -> None:
    assert {code.name for code in [*MetricCode, *StopCode]} == set(StopReason.__members__)


#: Only stop can ask for these.
OF_STOP = {MetricCode.RECLAIMED, MetricCode.AFTER}


@pytest.mark.parametrize("code", [*(set(MetricCode) - OF_STOP), *StartCode])
def test_every_start_has_its_name(code: MetricCode | StartCode) -> None:
    assert episode(start_metric=code).started_for is StartReason[code.name]


def test_every_start_can_be_told() -> None:
    assert {code.name for code in [*(set(MetricCode) - OF_STOP), *StartCode]} == set(StartReason.__members__)


def test_every_metric_has_a_code() -> None:
    assert set(MetricCode.__members__) == set(Metric.__members__)


def test_reasons_and_metrics_share_no_number() -> None:
    codes = [*MetricCode, *StartCode, *StopCode]
    assert len({int(code) for code in codes}) == len(codes)


def test_an_episode_is_told_in_full() -> None:
    record = EventRecord(
        kind=EventKind.EPISODE,
        cgroup_id=7,
        episode=1,
        start_metric=MetricCode.PSI_SOME,
        start_value=2,
        reason=StopCode.NO_PROGRESS,
        stop_value=3,
        started_ns=4,
        ended_ns=5,
        started_usage_pages=6,
        ended_usage_pages=8,
        passes=9,
        pages_asked=10,
        pages_reclaimed=11,
        reclaim_ns=12,
        reclaim_cpu_ns=13,
    )
    assert event(record) == EpisodeEnded(
        cgroup_id=7,
        episode=1,
        started_ns=4,
        ended_ns=5,
        reclaim_ns=12,
        passes=9,
        pages_asked=10,
        pages_reclaimed=11,
        usage_started_pages=6,
        usage_ended_pages=8,
        started_for=StartReason.PSI_SOME,
        start_value=2,
        reason=StopReason.NO_PROGRESS,
        stop_value=3,
        reclaim_cpu_ns=13,
    )


def test_a_cgroup_that_is_gone() -> None:
    assert event(EventRecord(kind=EventKind.OFFLINE, cgroup_id=7)) == CgroupGone(7)


def test_protection_that_began() -> None:
    record = EventRecord(
        kind=EventKind.PROTECTED, cgroup_id=7, start_metric=MetricCode.PGFAULTS, start_value=5001
    )
    assert event(record) == ProtectionBegan(7, Metric.PGFAULTS, 5001)


def test_every_number_is_told() -> None:
    names = [name for name, kind in CountersValue._fields_ if kind is ctypes.c_uint64]
    value = CountersValue(**{name: number for number, name in enumerate(names)})
    told = counters(value, AccountsValue())
    assert {name: getattr(told, name) for name in names} == {name: n for n, name in enumerate(names)}


def test_triggers_are_told_by_what_they_were_for() -> None:
    value = CountersValue()
    value.started_for[MetricCode.PSI_FULL] = 2
    value.started_for[MetricCode.USAGE] = 3
    value.started_for[StartCode.REQUESTED] = 4
    expected = {StartReason.USAGE: 3, StartReason.PSI_FULL: 2, StartReason.REQUESTED: 4}
    assert counters(value, AccountsValue()).started_for == expected


def test_episodes_are_told_by_why_they_ended() -> None:
    value = CountersValue()
    value.ended_for[StopCode.FLOOR] = 2
    value.ended_for[MetricCode.AFTER] = 3
    assert counters(value, AccountsValue()).ended_for == {StopReason.AFTER: 3, StopReason.FLOOR: 2}


@pytest.mark.parametrize("name", ["durations", "first_passes", "first_pages"])
def test_times_are_told_bucket_by_bucket(name: str) -> None:
    value = CountersValue()
    times = getattr(value, name)
    times.sum_ns = 7
    times.buckets[0], times.buckets[layout.TIME_BUCKETS - 1] = 1, 2
    assert getattr(counters(value, AccountsValue()), name) == Times(
        7, (1, *[0] * (layout.TIME_BUCKETS - 2), 2)
    )


def test_there_is_a_bucket_for_each_bound_and_one_beyond() -> None:
    assert len(TIME_BOUNDS_NS) + 1 == layout.TIME_BUCKETS


def test_counters_come_in_the_order_of_the_kernel() -> None:
    names = [name for name, *_ in CountersValue._fields_]
    assert [field.name for field in dataclasses.fields(Counters)] == [*names, "swapless", "reading"]


def test_accounts_that_were_read_are_told() -> None:
    accounts = AccountsValue(
        read=1,
        usage_pages=2,
        psi_some_ns=3_999,
        psi_full_ns=1_000,
        events_low=5,
        events_high=6,
        events_max=7,
        events_oom=8,
        events_oom_kill=9,
    )
    assert counters(CountersValue(), accounts).reading == Reading(2 * PAGESIZE, (3, 1), (5, 6, 7, 8, 9))


def test_accounts_that_were_not_read_are_not_told() -> None:
    assert counters(CountersValue(), AccountsValue()).reading is None


def test_events_come_in_the_order_of_the_reading() -> None:
    names = [name.removeprefix("events_") for name, _ in AccountsValue._fields_ if name.startswith("events_")]
    assert tuple(names) == EVENTS
