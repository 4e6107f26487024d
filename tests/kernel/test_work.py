# SPDX-License-Identifier: GPL-2.0-or-later
"""bpf_wq: on which CPU its work runs."""

import ctypes
import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from reclaimd.kernel.object import BpfObject
from tests.kernel.cgroups import until
from tests.kernel.objects import loaded

BPF_F_WQ_UNBOUND = 1 << 0
BUSY_S = 0.5


class WorkArgs(ctypes.Structure):
    """Mirrors struct work_args."""

    _fields_ = (("flags", ctypes.c_uint32), ("cpu", ctypes.c_uint32))


@pytest.fixture
def programs(nothing_stays: None) -> Iterator[BpfObject]:  # noqa: ARG001  to be outlived by it
    with loaded("work") as obj:
        yield obj


@contextmanager
def alone_on_a_cpu() -> Iterator[int]:
    """Nothing that is not real-time runs beside this thread on its CPU."""
    before = os.sched_getaffinity(0)
    cpu = min(before)
    os.sched_setaffinity(0, {cpu})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        yield cpu
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.sched_setaffinity(0, before)


def queue(programs: BpfObject, flags: int) -> int:
    args = WorkArgs(flags)
    status = programs.program("queue").run(args)
    assert status != 0 or args.cpu == min(os.sched_getaffinity(0))
    return status


def ran(programs: BpfObject) -> int:
    return programs.variable("ran", ctypes.c_uint32).value


def ran_while_busy(programs: BpfObject) -> int:
    """How often work has run by the end of a time in which this CPU has had none for it."""
    end_s = time.monotonic() + BUSY_S
    while time.monotonic() < end_s and not ran(programs):
        pass
    return ran(programs)


def test_work_waits_for_the_cpu_that_it_was_queued_on(programs: BpfObject) -> None:
    with alone_on_a_cpu() as cpu:
        assert queue(programs, 0) == 0
        assert ran_while_busy(programs) == 0
    for _ in until():
        if ran(programs):
            break
    assert programs.variable("ran_on_cpu", ctypes.c_uint32).value == cpu


def test_unbound_work_runs_on_another_cpu_meanwhile(programs: BpfObject) -> None:
    with alone_on_a_cpu() as cpu:
        assert queue(programs, BPF_F_WQ_UNBOUND) == 0
        assert ran_while_busy(programs) == 1
    assert programs.variable("ran_on_cpu", ctypes.c_uint32).value != cpu


@pytest.mark.parametrize("flags", [BPF_F_WQ_UNBOUND << 1, BPF_F_WQ_UNBOUND | 1 << 31])
def test_other_flags_are_refused(programs: BpfObject, flags: int) -> None:
    with alone_on_a_cpu():
        assert queue(programs, flags) == -errno.EINVAL
