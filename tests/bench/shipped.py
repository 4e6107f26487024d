# SPDX-License-Identifier: GPL-2.0-or-later
"""The shipped example policy: what it comes to for the demo's cgroups, and where its daemon is scraped."""

from dataclasses import dataclass
from pathlib import Path

from reclaimd.bench.experiment import FILE_64, Case, Mode
from reclaimd.cgroup.facts import CgroupFacts, Memory
from reclaimd.cgroup.machine import read_machine
from reclaimd.config import load_config
from reclaimd.errors import ConfigError
from reclaimd.policy.resolve import resolve
from reclaimd.policy.rule import Rule
from tests.lab import CHECKOUT

CONFIG = CHECKOUT / "config" / "examples" / "demo.yaml"
MIB = 1 << 20
PAGE_BYTES = 4096
PAGES_PER_MIB = MIB // PAGE_BYTES


@dataclass(frozen=True, slots=True)
class Threshold:
    """A line in the timeline."""

    name: str
    mib: float


@dataclass(frozen=True, slots=True)
class Shipped:
    """The example's rule for the demo's cgroups, and the address of its metrics."""

    rule: Rule
    metrics_url: str

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """All thresholds, the limit first."""
        pressure, reclaim = self.rule.back_pressure, self.rule.reclaim
        pages = {
            "limit (memory.max)": FILE_64.limit_mib * PAGES_PER_MIB,
            **({"back-pressure": pressure.start_pages} if pressure else {}),
            "start": reclaim.start.lowest_usage_pages if reclaim else None,
            "stop": reclaim.stop.lowest_usage_pages if reclaim else None,
        }
        return tuple(Threshold(name, count / PAGES_PER_MIB) for name, count in pages.items() if count)


def read_shipped(path: Path = CONFIG) -> Shipped:
    """Read the example.

    Raises:
        ConfigError: it is not valid, or does not govern the demo's cgroups.
    """
    loaded = load_config(path)
    (cgroup,) = Case(FILE_64, Mode.RECLAIMD, run=1).cgroups
    facts = CgroupFacts(
        1, cgroup, Memory(current_bytes=0, max_bytes=FILE_64.limit_mib * MIB, high_bytes=None)
    )
    resolution = resolve(loaded, [facts], page_bytes=PAGE_BYTES, machine=read_machine())
    if not resolution.rules:
        raise ConfigError(f"{path}: no policy governs {cgroup}", hint="the demo measures that cgroup")
    return Shipped(resolution.rules[0], f"http://{loaded.config.metrics.listen}/metrics")
