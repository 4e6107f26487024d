# SPDX-License-Identifier: GPL-2.0-or-later
"""Pressure that the kernel tells of by itself."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from reclaimd.config.metric import Metric
from reclaimd.policy.rule import Condition

NS_PER_US = 1_000
US_PER_MS = 1_000
#: The window that those may use who lack CAP_SYS_RESOURCE.
COMMON_WINDOW_US = 2_000_000

_SHARES = {Metric.PSI_SOME: "some", Metric.PSI_FULL: "full"}


@dataclass(frozen=True, slots=True)
class Trigger:
    """A file that has POLLPRI whenever tasks were stalled for so long within a window.

    Attributes:
        fd: the cgroup's memory.pressure.
        place: of its condition in the combination.
        exact: the window is that of the condition; otherwise it is a longer one, and what it tells has to be measured.
    """

    fd: int
    place: int
    exact: bool


def open_triggers(directory_fd: int, conditions: tuple[Condition, ...]) -> list[Trigger]:
    """Open a trigger for each condition on pressure that the kernel takes one for."""
    triggers = (
        _open(directory_fd, place, condition)
        for place, condition in enumerate(conditions)
        if condition.metric in _SHARES
    )
    return [trigger for trigger in triggers if trigger]


def _open(directory_fd: int, place: int, condition: Condition) -> Trigger | None:
    for text, exact in _texts(condition):
        with suppress(OSError):
            fd = os.open("memory.pressure", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory_fd)
            try:
                os.write(fd, text.encode())
            except OSError:
                os.close(fd)
                raise
            return Trigger(fd, place, exact)
    return None


def _texts(condition: Condition) -> Iterator[tuple[str, bool]]:
    """Yield what to write to memory.pressure, the best first, and whether it says just what the condition does."""
    share = _SHARES[condition.metric]
    window_us = condition.window_ms * US_PER_MS
    stall_us = min(max(-(-condition.bound // NS_PER_US), 1), window_us)
    yield f"{share} {stall_us} {window_us}", True
    # Whoever is stalled for so long in a shorter window is so in this one.
    if window_us < COMMON_WINDOW_US:
        yield f"{share} {stall_us} {COMMON_WINDOW_US}", False
