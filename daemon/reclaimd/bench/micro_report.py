# SPDX-License-Identifier: GPL-2.0-or-later
"""What a page costs where nothing is reclaimed, in four settings: as report.json holds it, and the ratios."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from statistics import median
from typing import Any

from reclaimd.bench.mark import Mark, Ratio


class Setting(StrEnum):
    """What the kernel has, and what is attached to the cgroup that is charged."""

    UNPATCHED = "unpatched"
    NOTHING_ATTACHED = "nothing-attached"
    ATTACHED = "attached"
    """Governed, far below the threshold."""
    BESIDE = "beside"
    """Not governed, beside one that is."""


class Clock(StrEnum):
    """What the cost is measured in."""

    TIME = "ns"
    INSTRUCTIONS = "instructions"


TITLES = {
    Setting.UNPATCHED: "not patched",
    Setting.NOTHING_ATTACHED: "patched, nothing attached",
    Setting.ATTACHED: "governed, far below the threshold",
    Setting.BESIDE: "not governed, beside one that is",
}
ACTIONS = {"fault": "page fault", "write": "page-cache write of 4 KiB"}
LIMITS = {Setting.NOTHING_ATTACHED: 1.005, Setting.ATTACHED: 1.02, Setting.BESIDE: 1.005}
"""Most that each may cost, as a multiple of what it costs where the kernel is not patched."""
Micro = Mapping[str, Any]


def costs(micro: Micro, clock: Clock, setting: Setting, action: str) -> Sequence[float]:
    """Return what a page cost in each turn."""
    found: Sequence[float] = micro.get(clock, {}).get(setting, {}).get(action, [])
    return found


def micro_ratio(micro: Micro, clock: Clock, setting: Setting, action: str) -> Ratio | None:
    """Return the ratio to the unpatched kernel; None where one of the two was not measured."""
    over, under = (costs(micro, clock, one, action) for one in (setting, Setting.UNPATCHED))
    if not over or not under:
        return None
    return Ratio.of_turns(over, under, decimals=4)


def micro_marks(micro: Micro) -> list[Mark]:
    """Return the marks, by instructions: half a percent drowns in the noise of time."""
    return [_mark(micro, setting, action, name) for action, name in ACTIONS.items() for setting in LIMITS]


def _mark(micro: Micro, setting: Setting, action: str, name: str) -> Mark:
    got = micro_ratio(micro, Clock.INSTRUCTIONS, setting, action)
    claim = f"{name}, {TITLES[setting]}: at most {LIMITS[setting]:g} times the instructions of an unpatched kernel"
    return Mark(5, claim, str(got or "-"), got.middle <= LIMITS[setting] if got else None)


def micro_rows(micro: Micro) -> list[list[str]]:
    """Return a table: a row for each setting, with cost and ratio of both actions by both clocks."""
    heading = ["", *(f"{name}, {clock}" for name in ACTIONS.values() for clock in Clock)]
    return [heading, *(_row(micro, setting) for setting in Setting)]


def _row(micro: Micro, setting: Setting) -> list[str]:
    cells = [_cell(micro, clock, setting, action) for action in ACTIONS for clock in Clock]
    return [TITLES[setting], *cells]


def _cell(micro: Micro, clock: Clock, setting: Setting, action: str) -> str:
    found, got = costs(micro, clock, setting, action), micro_ratio(micro, clock, setting, action)
    if not found:
        return "-"
    middle = f"{median(found):.0f}"
    return middle if setting is Setting.UNPATCHED or not got else f"{middle}, {got}"
