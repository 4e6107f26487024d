# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from reclaimd.bench import place
from reclaimd.bench.place import own_cgroups, own_directory, remove_cgroup
from reclaimd.errors import HostError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "cgroup.subtree_control").write_text("cpu memory\n")
    return tmp_path


def test_cgroups_without_the_memory_controller_are_refused(root: Path) -> None:
    (root / "cgroup.subtree_control").write_text("cpu\n")
    with pytest.raises(HostError, match=r"memory controller.*\+memory"), own_cgroups(root, "/bench"):
        pass
    assert not (root / "bench").exists()


def test_a_parent_whose_own_parent_is_none_is_refused(root: Path) -> None:
    with pytest.raises(HostError, match=r"is no cgroup.*--parent"), own_cgroups(root, "/gone/bench"):
        pass


def test_cgroups_that_are_there_already_are_left_alone(root: Path) -> None:
    (root / "bench").mkdir()
    with pytest.raises(HostError, match="is there already; if no other"), own_cgroups(root, "/bench"):
        pass
    assert list((root / "bench").iterdir()) == []


def test_a_cgroup_that_cannot_be_removed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        remove_cgroup(tmp_path / "gone")


def test_the_directory_is_one_of_its_own_and_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "IN_MEMORY", ())
    (tmp_path / "data").touch()
    with own_directory(tmp_path) as directory:
        (directory / "data").touch()
        assert directory.parent == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_directory_in_memory_is_refused() -> None:
    with pytest.raises(HostError, match="is in memory"), own_directory(Path("/dev/shm")):  # noqa: S108  it is one
        pass


def test_a_directory_without_room_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "IN_MEMORY", ())
    monkeypatch.setattr(place, "NEEDED_BYTES", 1 << 62)
    with pytest.raises(HostError, match="MiB left"), own_directory(tmp_path):
        pass


def test_what_is_no_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="is no directory"), own_directory(tmp_path / "gone"):
        pass
