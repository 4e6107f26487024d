# SPDX-License-Identifier: GPL-2.0-or-later
"""What a charge costs with 1 to 1,000 governed cgroups, and what they cost the daemon."""

import json
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from reclaimd.bench.daemon import Daemon
from reclaimd.bench.experiment import PARENTS, Kind, Mode, Workload
from reclaimd.bench.measure import fresh_cgroups
from reclaimd.bench.reclaimers import Setup, Target
from reclaimd.bench.scale_report import SIZES, Point
from reclaimd.bench.workloads import Command

TURNS = 3
"""On the way up to the most cgroups, and on the way down again: a machine that gets slower or faster hits all alike."""
VISITS, PAGES = 2000, 128
"""The pages of a visit are whole batches of the kernel's, 64: nothing is left over for the next one to be served from."""
LIMIT_BYTES = 64 << 20
"""Of each cgroup, so that a visit is far below the threshold."""
PLACE = Workload(Kind.ANON, 2, limit_mib=64)


def measure_scale(setup: Setup) -> list[dict[str, Any]]:
    """Measure with each number of cgroups, once more are made and once they are removed again.

    Raises:
        UnavailableError: there is no daemon.
        DaemonError: the daemon did not govern the cgroups.
        CalledProcessError: the helper failed.
        OSError: a cgroup could not be made or removed.
    """
    daemon = setup.governor()
    seen: dict[int, list[_Look]] = {size: [] for size in SIZES}
    names = [f"{PARENTS[Mode.RECLAIMD]}/scale-{place:04}" for place in range(SIZES[-1])]
    targets = [setup.target(name, LIMIT_BYTES) for name in names]
    with ExitStack() as stack:
        made: list[tuple[int, ExitStack]] = []
        for fewer, size in pairwise((0, *SIZES)):
            step = stack.enter_context(ExitStack())
            step.enter_context(fresh_cgroups(targets[fewer:size], PLACE))
            made.append((size, step))
            seen[size].append(_look(setup, daemon, targets[:size]))
        for size, step in reversed(made):
            seen[size].append(_look(setup, daemon, targets[:size]))
            step.close()
    return [asdict(_point(size, looks)) for size, looks in seen.items()]


@dataclass(frozen=True, slots=True)
class _Look:
    costs_ns: Sequence[float]
    apply_s: float
    rss_bytes: int


def _point(size: int, looks: Sequence[_Look]) -> Point:
    costs = [cost for look in looks for cost in look.costs_ns]
    applied_s = median(look.apply_s for look in looks)
    # On the way down the daemon may still hold what more cgroups have taken.
    return Point(size, median(costs), applied_s, looks[0].rss_bytes, costs)


def _look(setup: Setup, daemon: Daemon, targets: Sequence[Target]) -> _Look:
    daemon.wait_until_in_force([target.cgroup for target in targets])
    began_s = time.monotonic()
    daemon.reload()
    applied_s = time.monotonic() - began_s
    daemon.wait_until_idle()
    cgroups = [target.directory for target in targets]
    costs = [_cost_ns(setup.programs, cgroups) for _ in range(TURNS)]
    return _Look(costs, applied_s, daemon.rss_bytes())


def _cost_ns(programs: Path, cgroups: Sequence[Path]) -> float:
    numbers = ["--visits", str(VISITS), "--pages", str(PAGES)]
    command: Command = [programs / "charging", *numbers, *cgroups]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    cost: float = json.loads(told.stdout)["ns_per_charge"]
    return cost
