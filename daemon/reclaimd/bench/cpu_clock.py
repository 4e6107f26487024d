# SPDX-License-Identifier: GPL-2.0-or-later
"""The CPU time of other processes, from their CPU clocks: ns, where /proc has hundredths of a second."""

import time

NS_PER_S = 1_000_000_000
CPUCLOCK_SCHED = 2
"""Of the kernel's linux/posix-timers_types.h; the bits above it hold the process id, inverted."""


def process_cpu_s(pid: int) -> float:
    """Return what all threads of a process, or a kernel thread, have used so far.

    Raises:
        OSError: there is no such process.
    """
    return time.clock_gettime_ns((~pid << 3) | CPUCLOCK_SCHED) / NS_PER_S
