# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules as tests write them: one condition or a combination, sizes in MiB."""

from collections.abc import Iterable

from reclaimd.config.metric import Metric
from reclaimd.config.models import Mode
from reclaimd.policy.rule import BackPressure, Combination, Condition, Protect, Reclaim, Rule, Throttle
from tests.kernel.cgroups import PAGE_BYTES, Cgroup
from tests.system.load import path_of

MIB_PAGES = (1 << 20) // PAGE_BYTES
#: Usage never gets there.
FAR_MIB = 1024
#: A write to memory.reclaim is ended after 80 ms, and a slow machine takes its time for that.
LONGEST_PASS_NS = 100_000_000


def usage(mib: float) -> Condition:
    """The cgroup's usage."""
    return Condition(Metric.USAGE, int(mib * MIB_PAGES))


def all_of(*conditions: Condition) -> Combination:
    """All at once."""
    return Combination((conditions,), any_of_all=True)


def any_of(*conditions: Condition) -> Combination:
    """One of them."""
    return Combination((conditions,), any_of_all=False)


def rule(
    cgroup: Cgroup,
    reclaim: Reclaim | None = None,
    *,
    back_pressure: BackPressure | None = None,
    protect: Protect | None = None,
    throttles: Iterable[Throttle] = (),
    mode: Mode = Mode.ENFORCE,
) -> Rule:
    """A rule of the policy "test"."""
    return Rule(
        cgroup_id=cgroup.cgroup_id,
        path=path_of(cgroup),
        policy="test",
        mode=mode,
        reclaim=reclaim,
        back_pressure=back_pressure,
        protect=protect,
        throttles=tuple(throttles),
    )


def between(start_mib: float, stop_mib: float) -> Reclaim:
    """Reclaim from one usage down to another."""
    return Reclaim(all_of(usage(start_mib)), all_of(usage(stop_mib)))
