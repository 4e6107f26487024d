# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel counted for a cgroup, out of its files."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Readings:
    """The counters of one cgroup since it was made."""

    max_events: int
    high_events: int
    oom_kills: int
    psi_some_us: int
    pgscan_direct: int
    pgscan_proactive: int


def read(cgroup: Path) -> Readings:
    """Read the counters of *cgroup* (a directory of cgroupfs)."""
    events = flat_keyed((cgroup / "memory.events").read_text())
    stat = flat_keyed((cgroup / "memory.stat").read_text())
    return Readings(
        max_events=events["max"],
        high_events=events["high"],
        oom_kills=events["oom_kill"],
        psi_some_us=some_total_us((cgroup / "memory.pressure").read_text()),
        pgscan_direct=stat["pgscan_direct"],
        pgscan_proactive=stat["pgscan_proactive"],
    )


def flat_keyed(text: str) -> dict[str, int]:
    """Read lines of a key and a number."""
    return {key: int(value) for key, value in (line.split() for line in text.splitlines())}


def some_total_us(pressure: str) -> int:
    """Return the total of the "some" line of a PSI file.

    Raises:
        ValueError: there is no such line.
    """
    if not (match := re.search(r"^some .*\btotal=([0-9]+)$", pressure, re.MULTILINE)):
        raise ValueError(f"no total for some in {pressure!r}")
    return int(match[1])
