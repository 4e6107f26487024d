# SPDX-License-Identifier: GPL-2.0-or-later

import os
from pathlib import Path

import pytest

from reclaimd.backend.memory_reclaim.files import Files
from reclaimd.backend.memory_reclaim.plan import Source
from reclaimd.config.metric import Metric
from reclaimd.errors import HostError
from reclaimd.policy.rule import SWAPPINESS_ANON_ONLY, SWAPPINESS_OWN
from tests.unit.backend.memory_reclaim.kernel import FakeKernel


@pytest.fixture
def files(kernel: FakeKernel) -> Files:
    cgroup_id = kernel.add("/a", 700)
    files = Files.open(str(kernel.directory("/a")), cgroup_id)
    assert files
    return files


def test_usage_is_in_pages_and_always_of_now(files: Files, kernel: FakeKernel) -> None:
    assert files.usage_pages() == 700
    kernel.charge("/a", 12345)
    assert files.usage_pages() == 12345


def test_faults_and_refaults_are_in_memory_stat(files: Files, kernel: FakeKernel) -> None:
    kernel.stat("/a", pgfault=11, refault_anon=22, refault_file=33)
    assert files.measure(Source.STAT) == {
        Metric.PGFAULTS: 11,
        Metric.REFAULTS: 55,
        Metric.REFAULTS_ANON: 22,
        Metric.REFAULTS_FILE: 33,
    }


def test_events_are_in_memory_events(files: Files) -> None:
    assert files.measure(Source.EVENTS) == {
        Metric.EVENTS_HIGH: 2,
        Metric.EVENTS_MAX: 3,
        Metric.EVENTS_OOM: 4,
    }


def test_pressure_is_in_ns(files: Files) -> None:
    assert files.measure(Source.PRESSURE) == {Metric.PSI_SOME: 1_500_000_000, Metric.PSI_FULL: 250_000_000}


def test_a_kernel_that_accounts_for_no_pressure_has_none(files: Files, kernel: FakeKernel) -> None:
    (kernel.directory("/a") / "memory.pressure").unlink()
    assert files.measure(Source.PRESSURE) == {Metric.PSI_SOME: 0, Metric.PSI_FULL: 0}


def test_only_what_is_asked_for_is_read(files: Files) -> None:
    assert files.measure(Source.SWAP) == {}
    assert set(files.measure(Source.EVENTS | Source.PRESSURE)) == {
        Metric.EVENTS_HIGH,
        Metric.EVENTS_MAX,
        Metric.EVENTS_OOM,
        Metric.PSI_SOME,
        Metric.PSI_FULL,
    }


@pytest.mark.parametrize(
    ("swappiness", "argument"),
    [
        (SWAPPINESS_OWN, ""),
        (0, " swappiness=0"),
        (200, " swappiness=200"),
        (SWAPPINESS_ANON_ONLY, " swappiness=max"),
    ],
)
def test_a_pass_is_a_write(files: Files, kernel: FakeKernel, swappiness: int, argument: str) -> None:
    assert files.reclaim(10, swappiness)
    assert kernel.writes == [f"{10 * os.sysconf('SC_PAGE_SIZE')}{argument}"]


def test_a_cgroup_at_the_same_path_is_another_one(kernel: FakeKernel) -> None:
    cgroup_id = kernel.add("/a")
    assert Files.open(str(kernel.directory("/a")), cgroup_id + 1) is None


def test_a_cgroup_that_has_gone_is_none(tmp_path: Path) -> None:
    assert Files.open(str(tmp_path / "gone"), 1) is None


def test_a_cgroup_without_the_memory_controller_is_none(kernel: FakeKernel) -> None:
    cgroup_id = kernel.add("/a")
    (kernel.directory("/a") / "memory.current").unlink()
    assert Files.open(str(kernel.directory("/a")), cgroup_id) is None


def test_what_cannot_be_opened_for_another_reason_is_an_error(
    kernel: FakeKernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    cgroup_id = kernel.add("/a")

    def no_more(*_arguments: object, **_named: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "open", no_more)
    with pytest.raises(HostError, match="Too many open files"):
        Files.open(str(kernel.directory("/a")), cgroup_id)


def test_files_are_closed_with_the_last_reference(kernel: FakeKernel) -> None:
    cgroup_id = kernel.add("/a")
    files = Files.open(str(kernel.directory("/a")), cgroup_id)
    assert files
    files.measure(Source.STAT | Source.EVENTS)
    fds = files.directory_fd, files.usage_fd
    del files
    for fd in fds:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)
