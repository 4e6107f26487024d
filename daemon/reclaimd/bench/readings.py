# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel counted for a cgroup, out of its files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Readings:
    """The counters of one cgroup since it was made, or the sums of several."""

    max_events: int
    high_events: int
    oom_kills: int
    psi_some_us: int
    psi_full_us: int
    pgscan_direct: int
    pgscan_proactive: int
    pgsteal_direct: int
    pgsteal_proactive: int
    refaults_anon: int
    refaults_file: int
    cgroup_cpu_us: int

    def __add__(self, other: Self) -> Self:
        """Return the sums."""
        sums = {one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)}
        return type(self)(**sums)


def read(cgroup: Path) -> Readings:
    """Read the counters of *cgroup* (a directory of cgroupfs)."""
    events = flat_keyed((cgroup / "memory.events").read_text())
    stat = flat_keyed((cgroup / "memory.stat").read_text())
    pressure = (cgroup / "memory.pressure").read_text()
    return Readings(
        max_events=events["max"],
        high_events=events["high"],
        oom_kills=events["oom_kill"],
        psi_some_us=total_us(pressure, "some"),
        psi_full_us=total_us(pressure, "full"),
        pgscan_direct=stat["pgscan_direct"],
        # Before 6.15 the kernel counted it as direct.
        pgscan_proactive=stat.get("pgscan_proactive", 0),
        pgsteal_direct=stat["pgsteal_direct"],
        pgsteal_proactive=stat.get("pgsteal_proactive", 0),
        refaults_anon=stat["workingset_refault_anon"],
        refaults_file=stat["workingset_refault_file"],
        cgroup_cpu_us=flat_keyed((cgroup / "cpu.stat").read_text())["usage_usec"],
    )


def read_all(cgroups: Sequence[Path]) -> Readings:
    """Read the counters of *cgroups*, added up."""
    first, *others = (read(cgroup) for cgroup in cgroups)
    for one in others:
        first += one
    return first


def flat_keyed(text: str) -> dict[str, int]:
    """Read lines of a key and a number."""
    return {key: int(value) for key, value in (line.split() for line in text.splitlines())}


def total_us(pressure: str, line: str) -> int:
    """Return the total of the "some" or the "full" line of a PSI file.

    Raises:
        ValueError: there is no such line.
    """
    if not (match := re.search(rf"^{line} .*\btotal=([0-9]+)$", pressure, re.MULTILINE)):
        raise ValueError(f"no total for {line} in {pressure!r}")
    return int(match[1])
