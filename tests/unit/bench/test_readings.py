# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from reclaimd.bench.readings import Readings, read, read_all, total_us

PRESSURE = """some avg10=1.52 avg60=0.30 avg300=0.06 total=401048
full avg10=1.41 avg60=0.28 avg300=0.06 total=380210
"""


def write_files(cgroup: Path) -> None:
    (cgroup / "memory.events").write_text(
        "low 0\nhigh 7\nmax 731\noom 2\noom_kill 1\noom_group_kill 0\nsock_throttled 0\n"
    )
    (cgroup / "memory.stat").write_text(
        "anon 4096\npgscan 97902\npgscan_direct 92902\npgscan_proactive 5000\npgsteal_direct 800\n"
        "pgsteal_proactive 400\nworkingset_refault_anon 3\nworkingset_refault_file 70\n"
    )
    (cgroup / "memory.pressure").write_text(PRESSURE)
    (cgroup / "cpu.stat").write_text("usage_usec 123456\nuser_usec 100000\nsystem_usec 23456\n")


def test_the_counters_of_a_cgroup_are_read_from_its_files(tmp_path: Path) -> None:
    write_files(tmp_path)
    assert read(tmp_path) == Readings(
        max_events=731,
        high_events=7,
        oom_kills=1,
        psi_some_us=401048,
        psi_full_us=380210,
        pgscan_direct=92902,
        pgscan_proactive=5000,
        pgsteal_direct=800,
        pgsteal_proactive=400,
        refaults_anon=3,
        refaults_file=70,
        cgroup_cpu_us=123456,
    )


def test_the_counters_of_several_cgroups_are_added_up(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_files(tmp_path / name)
    assert read_all([tmp_path / "a", tmp_path / "b"]).max_events == 2 * 731


def test_pressure_without_a_some_line_is_refused() -> None:
    with pytest.raises(ValueError, match="no total for some"):
        total_us("full avg10=0.00 avg60=0.00 avg300=0.00 total=3\n", "some")
