# SPDX-License-Identifier: GPL-2.0-or-later

import os
from pathlib import Path

import pytest

from reclaimd.cgroup.tree import Cgroup, children_of, directory, walk
from reclaimd.errors import HostError
from tests.unit.fake_cgroupfs import FakeCgroupfs


def test_every_cgroup_but_the_root_comes_with_its_id(cgroupfs: FakeCgroupfs) -> None:
    ids = {path: cgroupfs.add(path) for path in ("/a", "/a/b", "/c")}
    assert {cgroup.path: cgroup.cgroup_id for cgroup in walk(cgroupfs.root)} == ids


def test_parents_come_before_their_children(cgroupfs: FakeCgroupfs) -> None:
    for path in ("/b/x/1", "/b/y", "/a/z"):
        cgroupfs.add(path)
    paths = [cgroup.path for cgroup in walk(cgroupfs.root)]
    assert all(path.rpartition("/")[0] in ["", *paths[:at]] for at, path in enumerate(paths))


def test_an_empty_tree(cgroupfs: FakeCgroupfs) -> None:
    assert list(walk(cgroupfs.root)) == []


def test_what_vanishes_on_the_way_is_left_out(cgroupfs: FakeCgroupfs) -> None:
    for path in ("/a/x", "/b/y"):
        cgroupfs.add(path)
    found = walk(cgroupfs.root)
    assert next(found).path == "/a"
    cgroupfs.remove("/a")
    cgroupfs.remove("/b")
    assert [cgroup.path for cgroup in found] == ["/b"]


def test_names_that_are_not_utf_8_survive(cgroupfs: FakeCgroupfs) -> None:
    os.mkdir(os.fsencode(cgroupfs.root) + b"/\xff")  # noqa: PTH102  pathlib knows no bytes
    (cgroup,) = walk(cgroupfs.root)
    assert directory(cgroupfs.root, cgroup.path).stat().st_ino == cgroup.cgroup_id


def test_what_is_nested_too_deeply_to_be_named_is_left_out(cgroupfs: FakeCgroupfs) -> None:
    levels = 30
    here = os.open(cgroupfs.root, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d" * 200, dir_fd=here)
        inner = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    assert 0 < len(list(walk(cgroupfs.root))) < levels


def test_the_children_of_one(cgroupfs: FakeCgroupfs) -> None:
    cgroupfs.add("/a/x")
    y = cgroupfs.add("/b/y")
    assert children_of(cgroupfs.root, "/b") == [Cgroup(y, "/b/y")]


def test_the_children_of_none(cgroupfs: FakeCgroupfs) -> None:
    assert children_of(cgroupfs.root, "/gone") == []


def test_the_directory_of_the_root_is_the_root() -> None:
    assert directory(Path("/sys/fs/cgroup"), "/") == Path("/sys/fs/cgroup")


def test_a_tree_that_may_not_be_read_is_an_error(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(HostError, match=r"^cannot read cgroup /: Too many levels of symbolic links"):
        list(walk(loop))
