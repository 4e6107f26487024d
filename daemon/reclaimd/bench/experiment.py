# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured: the workloads, the modes and the order of the runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """Who keeps the workload's cgroups below their limits, and how."""

    NONE = "none"
    MEMORY_HIGH = "memory.high"
    LOOP_1_MS = "loop-1ms"
    LOOP_100_MS = "loop-100ms"
    OOMD = "oomd"
    DAMON = "damon"
    NO_BACK_PRESSURE = "reclaimd-no-back-pressure"
    RECLAIMD = "reclaimd"


DEMO_MODES = (Mode.NONE, Mode.RECLAIMD)
GOVERNED_MODES = (Mode.NO_BACK_PRESSURE, Mode.RECLAIMD)
PARENTS = {Mode.RECLAIMD: "/demo", Mode.NO_BACK_PRESSURE: "/no-back-pressure"}
"""Where the cgroups that the daemon governs are made, below the benchmark's own, going by the policies' match."""
PLAIN_PARENT = "/plain"

START_SHARE, STOP_SHARE = 24 / 32, 22 / 32
"""Where reclaim starts and stops in every mode, as shares of memory.max; the policies say the same."""


class Kind(StrEnum):
    """What a workload does."""

    FILE = "file"
    ANON = "anon"
    BURST = "burst"
    FORK = "fork"
    CGROUPS = "cgroups"
    COMPILE = "compile"
    REDIS = "redis"


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload, how much memory it goes through, and the cgroups that it does so in."""

    kind: Kind
    size_mib: int
    limit_mib: int = 32
    """memory.max of each cgroup."""
    cgroups: int = 1
    processes: int = 1
    """They share the work evenly."""

    def __str__(self) -> str:
        """Return its name as in the tables."""
        return f"{self.kind} {self.size_mib}" if self.kind in (Kind.FILE, Kind.ANON) else str(self.kind)

    @property
    def word(self) -> str:
        """Its name where a name has no blanks: on command lines and in cgroups' names."""
        return str(self).replace(" ", "-")

    @property
    def swaps(self) -> bool:
        """Whether it may swap: there is no swap where only files are measured."""
        return self.kind not in (Kind.FILE, Kind.CGROUPS)


FILE_64 = Workload(Kind.FILE, 64)
FILE_256 = Workload(Kind.FILE, 256)
ANON_128 = Workload(Kind.ANON, 128)
DEMO_WORKLOADS = (FILE_64, FILE_256, ANON_128)
BURST_48 = Workload(Kind.BURST, 48)
FORK_16 = Workload(Kind.FORK, 128, processes=16)
CGROUPS_64 = Workload(Kind.CGROUPS, 384, limit_mib=4, cgroups=64, processes=64)
COMPILE = Workload(Kind.COMPILE, 0, limit_mib=0)
"""Its limit is a share of what it needs, which is measured before the first run."""
REDIS = Workload(Kind.REDIS, 128, limit_mib=48)
WORKLOADS = (*DEMO_WORKLOADS, BURST_48, FORK_16, CGROUPS_64, COMPILE, REDIS)
BY_WORD = {workload.word: workload for workload in WORKLOADS}


@dataclass(frozen=True, slots=True)
class Case:
    """One run that is to be made; *run* counts from 1 in each workload and mode."""

    workload: Workload
    mode: Mode
    run: int

    @property
    def cgroups(self) -> list[str]:
        """The cgroups' paths below the benchmark's own; each run has its own, all of them equally deep."""
        path = f"{PARENTS.get(self.mode, PLAIN_PARENT)}/{self.workload.word}-{self.mode}-{self.run}"
        count = self.workload.cgroups
        return [path] if count == 1 else [f"{path}-{number:02}" for number in range(count)]


def cases(workloads: Sequence[Workload], modes: Sequence[Mode], runs: int) -> Iterator[Case]:
    """Yield every run in order: workload by workload, the modes in turn, so that a slow host hits all alike.

    Each turn begins with another mode, so that none always follows the same one.
    """
    for workload in workloads:
        for run in range(1, runs + 1):
            first = (run - 1) % len(modes)
            for mode in (*modes[first:], *modes[:first]):
                yield Case(workload, mode, run)
