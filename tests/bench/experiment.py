# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured: the workloads, the two modes and the order of the runs."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

LIMIT_MIB = 32
"""memory.max of the cgroup."""


class Mode(StrEnum):
    """Whether anything is attached to the cgroup."""

    NONE = "none"
    RECLAIMD = "reclaimd"


TITLES = {Mode.NONE: "without reclaimd", Mode.RECLAIMD: "with reclaimd"}
"""The modes as people read them."""
PARENTS = {Mode.NONE: "/plain", Mode.RECLAIMD: "/demo"}
"""Where a run's cgroup is made; the example policy is for those below /demo and leaves others alone."""


class Kind(StrEnum):
    """What a workload fills memory with."""

    FILE = "file"
    ANON = "anon"


@dataclass(frozen=True, slots=True)
class Workload:
    """One of workload.c's workloads and how much memory it goes through."""

    kind: Kind
    size_mib: int

    def __str__(self) -> str:
        """Return its name as in the tables."""
        return f"{self.kind} {self.size_mib}"


FILE_64 = Workload(Kind.FILE, 64)
FILE_256 = Workload(Kind.FILE, 256)
ANON_128 = Workload(Kind.ANON, 128)
WORKLOADS = (FILE_64, FILE_256, ANON_128)


@dataclass(frozen=True, slots=True)
class Case:
    """One run that is to be made; *run* counts from 1 in each workload and mode."""

    workload: Workload
    mode: Mode
    run: int

    @property
    def cgroup(self) -> str:
        """The cgroup's path below the cgroup2 root; each run has one of its own."""
        return f"{PARENTS[self.mode]}/{self.workload.kind}-{self.workload.size_mib}-{self.run}"


def cases(runs: int) -> Iterator[Case]:
    """Yield every run in order: workload by workload, the modes in turn, so that a slow host hits both alike."""
    for workload in WORKLOADS:
        for run in range(1, runs + 1):
            for mode in Mode:
                yield Case(workload, mode, run)
