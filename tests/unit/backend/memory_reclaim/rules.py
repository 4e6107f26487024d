# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules and conditions, as these tests write them."""

from reclaimd.config.metric import Metric
from reclaimd.config.models import Mode
from reclaimd.policy.rule import Condition, Reclaim, Rule
from tests.unit.rules import at_usage

MS = 1_000_000
S = 1000 * MS
#: For how long nothing happens.
HOUR = 3600 * S

PSI = Condition(Metric.PSI_SOME, 200 * MS, 2000)
FAULTS = Condition(Metric.PGFAULTS, 100, 1000)
REFAULTS = Condition(Metric.REFAULTS, 10, 1000)
SWAP = Condition(Metric.SWAP_FREE, 50)


def after(ns: int) -> Condition:
    """How long the episode has run."""
    return Condition(Metric.AFTER, ns)


def between(start_pages: int, stop_pages: int) -> Reclaim:
    """Reclaim from one usage down to another."""
    return Reclaim(at_usage(start_pages), at_usage(stop_pages))


def rule(
    reclaim: Reclaim | None = None,
    *,
    cgroup_id: int = 7,
    path: str = "/a",
    mode: Mode = Mode.ENFORCE,
    limit_pages: int | None = None,
) -> Rule:
    """A rule of the policy "batch"."""
    return Rule(cgroup_id, path, "batch", mode, reclaim, limit_pages=limit_pages)
