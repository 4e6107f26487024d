# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes that are cut short: rmdir of a cgroup waits for a write to its memory.reclaim.

The kernel ends such a write early (EINTR) for the thread that has a signal. A timer of the thread's own sends it, and a
function that does nothing takes it: as Python knows nothing of it, nothing else in the process is woken.
"""

import ctypes
import errno
import os
import signal
import threading
import time
from typing import ClassVar

NS_PER_S = 1_000_000_000

#: Longest that a write may take, apart from what the kernel does in one go;
LIMIT_NS = 80_000_000
#: and how often it is told again: the first signal is lost if it comes before the write has begun.
AGAIN_NS = 20_000_000

SIGNAL = signal.SIGRTMIN + 3

# From the kernel's include/uapi/asm-generic/siginfo.h.
SIGEV_THREAD_ID = 4
_SIGEVENT_WORDS = 16


class _SigEvent(ctypes.Structure):
    """struct sigevent, whose union begins with the thread's id."""

    _fields_: ClassVar = [
        ("value", ctypes.c_void_p),
        ("signo", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("thread_id", ctypes.c_int),
        ("rest", ctypes.c_int * (_SIGEVENT_WORDS - 5)),
    ]


class _TimerSpec(ctypes.Structure):
    """struct itimerspec."""

    _fields_: ClassVar = [
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    ]


_libc = ctypes.CDLL(None, use_errno=True)
_local = threading.local()
_SET = _TimerSpec(0, AGAIN_NS, 0, LIMIT_NS)
_UNSET = _TimerSpec(0, 0, 0, 0)


def take_signal() -> None:
    """Have the signal do nothing but end what a thread waits for; once for the process."""
    _libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
    _libc.signal.restype = ctypes.c_void_p
    # Safe in a signal handler, without effect, and it does not mind an argument.
    _libc.signal(SIGNAL, ctypes.cast(_libc.getppid, ctypes.c_void_p))
    # Without this the write would go on (SA_RESTART).
    _libc.siginterrupt(SIGNAL, 1)


def prepare_thread() -> None:
    """Give the calling thread its timer, and leave all other signals to the main thread."""
    signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals() - {SIGNAL})
    event = _SigEvent(signo=SIGNAL, notify=SIGEV_THREAD_ID, thread_id=threading.get_native_id())
    timer = ctypes.c_void_p()
    # The kernel may have no room for another timer; then writes are only as short as they are small.
    if _libc.timer_create(time.CLOCK_MONOTONIC, ctypes.byref(event), ctypes.byref(timer)) == 0:
        _local.timer = timer


def release_thread() -> None:
    """Take the calling thread's timer away."""
    timer = _local.__dict__.pop("timer", None)
    if timer is not None:
        _libc.timer_delete(timer)


def write(fd: int, data: bytes) -> bool:
    """Write to memory.reclaim; False if less was reclaimed than asked for, or the time was up.

    Raises:
        OSError: anything else.
    """
    timer = getattr(_local, "timer", None)
    if timer is not None:
        _libc.timer_settime(timer, 0, ctypes.byref(_SET), None)
    # os.write() would go on after a signal (PEP 475).
    result = _libc.write(fd, data, len(data))
    error = ctypes.get_errno()
    if timer is not None:
        _libc.timer_settime(timer, 0, ctypes.byref(_UNSET), None)
    if result >= 0:
        return True
    if error in (errno.EAGAIN, errno.EINTR):
        return False
    raise OSError(error, os.strerror(error), "memory.reclaim")


_libc.write.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t]
_libc.write.restype = ctypes.c_ssize_t
_libc.timer_settime.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
