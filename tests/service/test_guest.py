# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest as systemd has booted it: what the other tests here take for granted."""

import os
import subprocess
from pathlib import Path

import pytest


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def test_systemd_is_pid_1_and_done_with_booting() -> None:
    assert Path("/proc/1/comm").read_text() == "systemd\n"
    assert _output("systemctl", "is-system-running") == "running"
    assert _output("systemctl", "list-jobs", "--no-legend") == ""


def test_tests_run_in_a_service() -> None:
    assert Path("/proc/self/cgroup").read_text() == "0::/system.slice/reclaimd-lab.service\n"


def test_limits_of_a_slice_are_those_of_its_cgroup() -> None:
    _output("systemd-run", "--slice=lab-guest.slice", "--unit=lab-guest", "sleep", "infinity")
    _output("systemctl", "set-property", "--runtime", "lab-guest.slice", "MemoryMax=32M")
    cgroup = Path("/sys/fs/cgroup/lab.slice/lab-guest.slice")
    assert (cgroup / "memory.max").read_text() == f"{32 << 20}\n"
    _output("systemctl", "stop", "lab-guest.slice")
    assert not cgroup.exists()


@pytest.mark.parametrize("unit", ["prometheus.service", "redis-server.service", "oomd.service"])
def test_what_is_installed_for_single_tests_waits_to_be_started(unit: str) -> None:
    assert _output("systemctl", "is-active", unit) == "inactive"
    assert _output("systemctl", "show", "--property=LoadState", "--value", unit) == "loaded"


def test_disk_swap_and_bpffs_are_there() -> None:
    assert _output("findmnt", "-no", "FSTYPE", os.environ["RECLAIMD_LAB_DISK"]) == "ext4"
    assert _output("findmnt", "-no", "FSTYPE", "/sys/fs/bpf") == "bpf"
    assert "/dev/zram0" in Path("/proc/swaps").read_text()
