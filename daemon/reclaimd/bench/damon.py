# SPDX-License-Identifier: GPL-2.0-or-later
"""DAMON as a reclaimer of one cgroup: a pageout scheme on its pages, with a quota that is nothing below a usage."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from reclaimd.bench.unavailable import UnavailableError

ADMIN = Path("/sys/kernel/mm/damon/admin/kdamonds")
IOMEM = Path("/proc/iomem")
SAMPLE_US, AGGREGATION_US, APPLY_US = 5_000, 20_000, 20_000
"""The shortest that leave it time for its work on a slow machine."""
QUOTA_BYTES = 1 << 40
QUOTA_RESET_MS = 20
GOAL_PARTS = 10_000


def node_bytes() -> int:
    """Return how much memory there is."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def ram_ranges(iomem: str) -> list[tuple[int, int]]:
    """Return the ranges of memory, start and end (exclusive), as /proc/iomem has them."""
    found = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) : System RAM$", iomem, re.MULTILINE)
    return [(int(start, 16), int(end, 16) + 1) for start, end in found]


def free_goal(stop_bytes: int, of_bytes: int) -> int:
    """Return what is to be left of the node's memory by a cgroup that is down to *stop_bytes*, in 10,000ths."""
    return GOAL_PARTS - stop_bytes * GOAL_PARTS // of_bytes


@contextmanager
def running(cgroup: str, stop_bytes: int) -> Iterator[int]:
    """Run DAMON on *cgroup* (its path below the cgroup2 root), down to *stop_bytes*; yields its thread's pid.

    Raises:
        UnavailableError: this kernel has no DAMON that can do it.
    """
    if not ADMIN.exists():
        raise UnavailableError("the kernel has no DAMON (CONFIG_DAMON_PADDR, CONFIG_DAMON_SYSFS)")
    if (ADMIN / "nr_kdamonds").read_text().strip() != "0":
        raise UnavailableError("DAMON is at work for somebody else")
    context = _make_tree()
    for name, value in _settings(cgroup, stop_bytes).items():
        _write(context / name, value)
    _write(ADMIN / "0/state", "on")
    try:
        yield int((ADMIN / "0/pid").read_text())
    finally:
        _write(ADMIN / "0/state", "off")
        _write(ADMIN / "nr_kdamonds", "0")


def _make_tree() -> Path:
    """Make the directories of one thread with one scheme, and return that of its context."""
    context = ADMIN / "0/contexts/0"
    _write(ADMIN / "nr_kdamonds", "1")
    _write(ADMIN / "0/contexts/nr_contexts", "1")
    _write(context / "operations", "paddr")
    _write(context / "targets/nr_targets", "1")
    ranges = ram_ranges(IOMEM.read_text())
    _write(context / "targets/0/regions/nr_regions", str(len(ranges)))
    for number, (start, end) in enumerate(ranges):
        _write(context / f"targets/0/regions/{number}/start", str(start))
        _write(context / f"targets/0/regions/{number}/end", str(end))
    _write(context / "schemes/nr_schemes", "1")
    _write(context / "schemes/0/ops_filters/nr_filters", "1")
    _write(context / "schemes/0/quotas/goals/nr_goals", "1")
    return context


def _settings(cgroup: str, stop_bytes: int) -> Mapping[str, str]:
    """Return the files of the context and their contents."""
    scheme, most = "schemes/0", str((1 << 32) - 1)
    goal = f"{scheme}/quotas/goals/0"
    return {
        "monitoring_attrs/intervals/sample_us": str(SAMPLE_US),
        "monitoring_attrs/intervals/aggr_us": str(AGGREGATION_US),
        f"{scheme}/action": "pageout",
        f"{scheme}/apply_interval_us": str(APPLY_US),
        f"{scheme}/access_pattern/sz/max": str(1 << 62),
        f"{scheme}/access_pattern/nr_accesses/max": most,
        f"{scheme}/access_pattern/age/max": most,
        f"{scheme}/ops_filters/0/type": "memcg",
        f"{scheme}/ops_filters/0/memcg_path": cgroup,
        f"{scheme}/ops_filters/0/matching": "Y",
        f"{scheme}/ops_filters/0/allow": "Y",
        f"{scheme}/quotas/bytes": str(QUOTA_BYTES),
        f"{scheme}/quotas/reset_interval_ms": str(QUOTA_RESET_MS),
        # All of the quota as long as the goal is missed, and nothing from then on.
        f"{scheme}/quotas/goal_tuner": "temporal",
        f"{goal}/target_metric": "node_memcg_free_bp",
        f"{goal}/target_value": str(free_goal(stop_bytes, node_bytes())),
        f"{goal}/nid": "0",
        f"{goal}/path": cgroup,
    }


def _write(path: Path, value: str) -> None:
    try:
        path.write_text(value)
    except OSError as error:
        raise UnavailableError(f"DAMON does not take {value} for {path}: {error.strerror}") from error
