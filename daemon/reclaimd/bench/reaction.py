# SPDX-License-Identifier: GPL-2.0-or-later
"""How long it takes from the charge that crosses start to the first page reclaimed, with a CPU idle and without."""

import math
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from reclaimd.bench.experiment import FILE_64, PARENTS, Mode
from reclaimd.bench.measure import MIB, fresh_cgroups, work_on_clean_disk
from reclaimd.bench.reclaimers import Setup, reclaiming
from reclaimd.bench.trace import reactions_us, tracing

ROUNDS = 5
BOUNDS_US = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 50_000, 100_000)
WORKLOAD = "workload"
"""The name of its processes."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """Reactions by time: how many took no longer than each bound in us, two percentiles, and every one of them."""

    count: int
    p50_us: int | None
    p99_us: int | None
    buckets: Sequence[tuple[int | None, int]]
    """Cumulative; the last has no bound: it counts them all."""
    samples_us: Sequence[int]


def reaction(samples_us: Sequence[int]) -> Reaction:
    """Return what these reactions tell."""
    ordered = sorted(samples_us)
    counts = [(bound, sum(took <= bound for took in ordered)) for bound in BOUNDS_US]
    bounds = (_percentile(ordered, 50), _percentile(ordered, 99))
    return Reaction(len(ordered), *bounds, [*counts, (None, len(ordered))], ordered)


def measure_reactions(setup: Setup) -> dict[str, Reaction]:
    """Measure with the other CPU idle, and with every CPU kept busy.

    Raises:
        UnavailableError: there is no daemon, or the kernel cannot trace it.
    """
    setup.governor()
    busy = os.cpu_count() or 1
    return {
        "cpu_idle": _measure(setup, "idle", spinners=0),
        "both_busy": _measure(setup, "busy", spinners=busy),
    }


def _measure(setup: Setup, name: str, *, spinners: int) -> Reaction:
    samples: list[int] = []
    for number in range(ROUNDS):
        cgroup = f"{PARENTS[Mode.RECLAIMD]}/reaction-{name}-{number}"
        target = setup.target(cgroup, FILE_64.limit_mib * MIB)
        with fresh_cgroups([target], FILE_64), reclaiming(Mode.RECLAIMD, [target], setup):
            with _spinning(spinners), tracing(WORKLOAD) as trace:
                work_on_clean_disk(setup, FILE_64, [target.directory])
            samples += reactions_us(trace.lines, WORKLOAD)
    return reaction(samples)


def _percentile(ordered: Sequence[int], percent: int) -> int | None:
    """Return the least that so many percent do not exceed; None of nothing."""
    return ordered[math.ceil(len(ordered) * percent / 100) - 1] if ordered else None


@contextmanager
def _spinning(count: int) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(count):
            process = stack.enter_context(subprocess.Popen(["sh", "-c", "while :; do :; done"]))
            stack.callback(process.kill)
        yield
