# SPDX-License-Identifier: GPL-2.0-or-later

import errno
import os
from pathlib import Path

import pytest

from reclaimd.backend.memory_reclaim.triggers import open_triggers
from reclaimd.config.metric import Metric
from reclaimd.policy.rule import Condition
from tests.unit.backend.memory_reclaim.rules import FAULTS, MS

SOME = Condition(Metric.PSI_SOME, 50 * MS, 500)
FULL = Condition(Metric.PSI_FULL, 1, 2000)


class Kernel:
    """Takes triggers with windows that are a multiple of some milliseconds."""

    def __init__(self, multiple_ms: int) -> None:
        self.written: list[str] = []
        self._multiple_us = multiple_ms * 1000

    def write(self, _fd: int, data: bytes) -> int:
        """Stand in for os.write()."""
        self.written.append(data.decode())
        if int(data.split()[2]) % self._multiple_us:
            raise OSError(errno.EINVAL, "Invalid argument")
        return len(data)


@pytest.fixture
def directory_fd(tmp_path: Path) -> int:
    (tmp_path / "memory.pressure").write_text("")
    return os.open(tmp_path, os.O_RDONLY)


def _open(directory_fd: int, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    monkeypatch.setattr(os, "write", kernel.write)
    triggers = open_triggers(directory_fd, (FAULTS, SOME, FULL))
    for fd in (directory_fd, *(trigger.fd for trigger in triggers)):
        os.close(fd)
    return [(trigger.place, trigger.exact) for trigger in triggers]


def test_each_condition_on_pressure_has_its_trigger(
    directory_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel(multiple_ms=1)
    assert _open(directory_fd, kernel, monkeypatch) == [(1, True), (2, True)]
    assert kernel.written == ["some 50000 500000", "full 1 2000000"]


def test_where_short_windows_are_not_taken_a_longer_one_wakes(
    directory_fd: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = Kernel(multiple_ms=2000)
    assert _open(directory_fd, kernel, monkeypatch) == [(1, False), (2, True)]
    assert "some 50000 2000000" in kernel.written


def test_without_any_there_is_none(directory_fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _open(directory_fd, Kernel(multiple_ms=10**6), monkeypatch) == []


def test_a_kernel_without_pressure_has_none(tmp_path: Path) -> None:
    directory_fd = os.open(tmp_path, os.O_RDONLY)
    assert open_triggers(directory_fd, (SOME,)) == []
    os.close(directory_fd)
