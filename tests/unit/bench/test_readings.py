# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from tests.bench.readings import Readings, read, some_total_us

PRESSURE = """some avg10=1.52 avg60=0.30 avg300=0.06 total=401048
full avg10=1.41 avg60=0.28 avg300=0.06 total=380210
"""


def test_the_counters_of_a_cgroup_are_read_from_its_files(tmp_path: Path) -> None:
    (tmp_path / "memory.events").write_text(
        "low 0\nhigh 7\nmax 731\noom 2\noom_kill 1\noom_group_kill 0\nsock_throttled 0\n"
    )
    (tmp_path / "memory.stat").write_text(
        "anon 4096\npgscan 97902\npgscan_direct 92902\npgscan_proactive 5000\n"
    )
    (tmp_path / "memory.pressure").write_text(PRESSURE)
    assert read(tmp_path) == Readings(
        max_events=731,
        high_events=7,
        oom_kills=1,
        psi_some_us=401048,
        pgscan_direct=92902,
        pgscan_proactive=5000,
    )


def test_pressure_without_a_some_line_is_refused() -> None:
    with pytest.raises(ValueError, match="no total for some"):
        some_total_us("full avg10=0.00 avg60=0.00 avg300=0.00 total=3\n")
