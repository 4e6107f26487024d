# SPDX-License-Identifier: GPL-2.0-or-later
"""Two cgroups that each want 1.5 times the memory there is, and what of it the favoured one is guaranteed.

"The memory there is" is the memory.max of the cgroup that both are in, so that nothing else takes part.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from statistics import median

MEMORY_MIB = 32
SIZE_MIB = 48
"""What each of the two has; the rest is swapped to zram."""
HOT_MIB = 20
"""What each is busy with: it has room for one of them, not for both."""
WARM_UP_MS = 10_000
WORK_MS = 10_000


class Scenario(StrEnum):
    """What the favoured cgroup, `high`, does: it sleeps on its memory, or works as `low` does."""

    HIGH_IDLE = "high_idle"
    BOTH_ACTIVE = "both_active"


class Mode(StrEnum):
    """What favours it: nothing, memory.low of all the memory there is, or the shipped example policy."""

    NONE = "none"
    MEMORY_LOW = "memory.low"
    RECLAIMD = "reclaimd"


class Name(StrEnum):
    """The two cgroups."""

    HIGH = "high"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Case:
    """One run that is to be made; *run* counts from 1 in each scenario and mode."""

    scenario: Scenario
    mode: Mode
    run: int

    @property
    def parent(self) -> str:
        """The path of the cgroup that both are in; the example policy is for those below /protect-demo."""
        above = "/protect-demo" if self.mode is Mode.RECLAIMD else "/protect-plain"
        return f"{above}/{self.scenario}-{self.run}"

    @property
    def working(self) -> tuple[Name, ...]:
        """The cgroups whose throughput is measured."""
        return (Name.LOW,) if self.scenario is Scenario.HIGH_IDLE else (Name.HIGH, Name.LOW)


@dataclass(frozen=True, slots=True)
class Run:
    """What one of the cgroups got done; the fields are the keys of report.json."""

    scenario: Scenario
    mode: Mode
    cgroup: Name
    run: int
    ops_per_s: float

    def to_line(self) -> str:
        """Return the run as a line of JSON."""
        return json.dumps(asdict(self))


def run_from_line(line: str) -> Run:
    """Read a line of to_line()."""
    told = json.loads(line)
    return Run(
        Scenario(told["scenario"]), Mode(told["mode"]), Name(told["cgroup"]), told["run"], told["ops_per_s"]
    )


def cases(runs: int) -> Iterator[Case]:
    """Yield every run in order: the modes in turn, so that a slow host hits all of them alike."""
    for run in range(1, runs + 1):
        for scenario in Scenario:
            for mode in Mode:
                yield Case(scenario, mode, run)


def throughputs(runs: Sequence[Run], scenario: Scenario, mode: Mode, cgroup: Name) -> list[float]:
    """Return the operations per second of these runs."""
    return [one.ops_per_s for one in runs if (one.scenario, one.mode, one.cgroup) == (scenario, mode, cgroup)]


def typical(runs: Sequence[Run], scenario: Scenario, mode: Mode, cgroup: Name) -> float:
    """Return their median."""
    return median(throughputs(runs, scenario, mode, cgroup))
