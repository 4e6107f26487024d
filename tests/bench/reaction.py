# SPDX-License-Identifier: GPL-2.0-or-later
"""How long it takes from the charge that crosses start to the first page reclaimed, with a CPU idle and without."""

import math
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.bench.experiment import FILE_64, PARENTS, Mode
from tests.bench.measure import CGROUP_ROOT, MIB, fresh_cgroups, work_on_clean_disk
from tests.bench.reclaimers import Setup, Target, reclaiming

FIRST_PAGE = "reclaimd_first_page_seconds"
ROUNDS = 3
US_PER_S = 1e6


@dataclass(frozen=True, slots=True)
class Reaction:
    """Reactions by time: upper bounds in us, and how many took no longer than each; bounds of two percentiles."""

    count: int
    p50_us: float | None
    p99_us: float | None
    buckets: Sequence[tuple[float | None, int]]
    """The last has no bound: it counts them all."""


def reaction(buckets: Sequence[tuple[float, int]]) -> Reaction:
    """Return what cumulative buckets (upper bound in us, count) tell; the last of them has no bound."""
    count = buckets[-1][1] if buckets else 0
    told = [(None if bound == math.inf else bound, number) for bound, number in buckets]
    return Reaction(count, _bound(buckets, count * 0.5), _bound(buckets, count * 0.99), told)


def measure_reactions(setup: Setup) -> dict[str, Reaction]:
    """Measure with the other CPU idle, and with every CPU kept busy."""
    busy = os.cpu_count() or 1
    return {
        "cpu_idle": _measure(setup, "idle", spinners=0),
        "both_busy": _measure(setup, "busy", spinners=busy),
    }


def _measure(setup: Setup, name: str, *, spinners: int) -> Reaction:
    sums: dict[float, int] = {}
    for number in range(ROUNDS):
        cgroup = f"{PARENTS[Mode.RECLAIMD]}/reaction-{name}-{number}"
        target = Target(cgroup, CGROUP_ROOT / cgroup.lstrip("/"), FILE_64.limit_mib * MIB)
        with fresh_cgroups([target], FILE_64), reclaiming(Mode.RECLAIMD, [target], setup):
            with _spinning(spinners):
                work_on_clean_disk(setup, FILE_64, [target.directory])
            for bound_s, count in setup.daemon.histogram(FIRST_PAGE, cgroup):
                sums[bound_s * US_PER_S] = sums.get(bound_s * US_PER_S, 0) + count
    return reaction(sorted(sums.items()))


def _bound(buckets: Sequence[tuple[float, int]], wanted: float) -> float | None:
    bounds = (bound for bound, count in buckets if count >= wanted and bound != math.inf)
    return next(bounds, None) if wanted else None


@contextmanager
def _spinning(count: int) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(count):
            process = stack.enter_context(subprocess.Popen(["sh", "-c", "while :; do :; done"]))
            stack.callback(process.kill)
        yield
