# SPDX-License-Identifier: GPL-2.0-or-later
"""Microbenchmarks to judge."""

from typing import Any

from reclaimd.bench.micro_report import ACTIONS, Clock, Setting

UNPATCHED = 2000.0


def micro(nothing_attached: float = UNPATCHED, attached: float = UNPATCHED) -> dict[str, Any]:
    """A microbenchmark of three turns in which a page costs so much in the middle one."""
    costs = dict.fromkeys(Setting, UNPATCHED)
    costs |= {Setting.NOTHING_ATTACHED: nothing_attached, Setting.ATTACHED: attached}
    measured = {
        setting.value: {action: [cost - 10, cost, cost + 10] for action in ACTIONS}
        for setting, cost in costs.items()
    }
    return {"pages": 8192, "turns": 3, **{clock.value: measured for clock in Clock}}
