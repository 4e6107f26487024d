# SPDX-License-Identifier: GPL-2.0-or-later
import os
from contextlib import closing
from pathlib import Path

import pytest

from reclaimd.backend.alone import Alone
from reclaimd.bench.host import available_bytes, cpu_model, machine, require_host
from reclaimd.errors import HostError, NotPermittedError


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host that will do, and root at it."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (tmp_path / "pressure").mkdir()
    (tmp_path / "pressure" / "memory").touch()
    (tmp_path / "meminfo").write_text("MemTotal:  4096000 kB\nMemAvailable:  2048000 kB\n")
    return tmp_path


def test_a_host_with_memory_and_pressure_will_do(proc: Path) -> None:
    require_host(proc, proc, proc)


def test_only_root_may(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NotPermittedError, match="run it as root"):
        require_host(proc, proc, proc)


def test_a_host_that_is_governed_is_left_alone(proc: Path) -> None:
    (proc / "reclaimd").mkdir()
    with pytest.raises(HostError, match="governed by reclaimd already; systemctl stop"):
        require_host(proc, proc, proc)


def test_a_host_that_is_governed_without_bpf_is_left_alone(proc: Path) -> None:
    (proc / "memory.reclaim").touch()
    with (
        closing(Alone(proc)),
        pytest.raises(HostError, match="governed by reclaimd already; systemctl stop reclaimd"),
    ):
        require_host(proc, proc, proc)


def test_a_host_that_is_short_of_memory_is_left_alone(proc: Path) -> None:
    (proc / "meminfo").write_text("MemAvailable:  102400 kB\n")
    with pytest.raises(HostError, match="only 100 MiB of memory are available, not 1024"):
        require_host(proc, proc, proc)


def test_a_kernel_without_pressure_cannot(proc: Path) -> None:
    (proc / "pressure" / "memory").unlink()
    with pytest.raises(HostError, match="psi=1"):
        require_host(proc, proc, proc)


def test_memory_that_is_not_told_is_none(proc: Path) -> None:
    (proc / "meminfo").write_text("MemTotal:  4096000 kB\n")
    assert available_bytes(proc) == 0


def test_the_machine_is_told_in_words(proc: Path) -> None:
    (proc / "cpuinfo").write_text("processor\t: 0\nmodel name\t: A CPU\nmodel name\t: Another\n")
    assert cpu_model(proc) == "A CPU"
    assert " CPUs and " in machine()
