# SPDX-License-Identifier: GPL-2.0-or-later

import errno
import os
from pathlib import Path

import pytest

from reclaimd.backend.base import Ability
from reclaimd.backend.memory_reclaim import probe
from reclaimd.errors import HostError, NotPermittedError
from tests.unit.fake_cgroupfs import FakeCgroupfs


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc of Linux 6.12 with PSI."""
    directory = tmp_path / "proc"
    (directory / "sys/kernel").mkdir(parents=True)
    (directory / "sys/kernel/osrelease").write_text("6.12.94+deb13-cloud-amd64\n")
    (directory / "pressure").mkdir()
    (directory / "pressure/memory").write_text("")
    return directory


@pytest.fixture
def file(cgroupfs: FakeCgroupfs) -> Path:
    """The memory.reclaim of a cgroup; the root has none."""
    cgroupfs.add("/a/b")
    file = cgroupfs.root / "a/b/memory.reclaim"
    file.write_text("")
    return file


def _deny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda _path, _mode, **_how: False)


def _take(monkeypatch: pytest.MonkeyPatch, *texts: str) -> None:
    """Have memory.reclaim take these and nothing else."""

    def write(_fd: int, data: bytes) -> bool:
        if data.decode() not in texts:
            raise OSError(errno.EINVAL, "Invalid argument")
        return True

    monkeypatch.setattr(probe, "write", write)


def test_a_kernel_without_it_is_in_the_way(cgroupfs: FakeCgroupfs) -> None:
    cgroupfs.add("/a")
    obstacle = probe.obstacle(cgroupfs.root)
    assert isinstance(obstacle, HostError)
    assert "5.19" in str(obstacle)


@pytest.mark.usefixtures("file")
def test_nothing_is_in_the_way_where_one_cgroup_may_be_written_to(cgroupfs: FakeCgroupfs) -> None:
    assert probe.obstacle(cgroupfs.root) is None


@pytest.mark.usefixtures("file")
def test_rights_are_in_the_way_where_none_may(
    cgroupfs: FakeCgroupfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    _deny(monkeypatch)
    assert isinstance(probe.obstacle(cgroupfs.root), NotPermittedError)


@pytest.mark.usefixtures("file")
def test_arguments_are_tried_out(cgroupfs: FakeCgroupfs, proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _take(monkeypatch)
    assert probe.abilities(cgroupfs.root, proc) == {Ability.PSI}
    _take(monkeypatch, "0 swappiness=60")
    assert probe.abilities(cgroupfs.root, proc) == {Ability.PSI, Ability.SWAPPINESS}
    _take(monkeypatch, "0 swappiness=60", "0 swappiness=max")
    assert probe.abilities(cgroupfs.root, proc) == {
        Ability.PSI,
        Ability.SWAPPINESS,
        Ability.SWAPPINESS_ANON_ONLY,
    }


@pytest.mark.usefixtures("file")
def test_who_may_not_write_goes_by_the_release(
    cgroupfs: FakeCgroupfs, proc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _deny(monkeypatch)
    assert probe.abilities(cgroupfs.root, proc) == {Ability.PSI, Ability.SWAPPINESS}


def test_nothing_is_reclaimed_by_looking(file: Path, cgroupfs: FakeCgroupfs, proc: Path) -> None:
    probe.abilities(cgroupfs.root, proc)
    assert all(word.startswith("0") for word in file.read_text().split() if word.isdecimal())


def test_features_are_in_words(proc: Path) -> None:
    (proc / "self").mkdir()
    (proc / "self/status").write_text("Name: x\nCapEff:\t0000000000000000\n")
    assert probe.features(frozenset({Ability.PSI}), proc) == {
        "memory.reclaim": True,
        "memory.reclaim swappiness": False,
        "memory.reclaim swappiness=max": False,
        "PSI": True,
        "PSI triggers with any window": False,
    }
