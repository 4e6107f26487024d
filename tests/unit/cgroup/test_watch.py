# SPDX-License-Identifier: GPL-2.0-or-later

import resource
import select
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reclaimd.cgroup.tree import Cgroup, children_of
from reclaimd.cgroup.watch import Change, ChangeKind, TreeWatch
from reclaimd.config import Config
from reclaimd.errors import HostError
from reclaimd.policy.match import Interest
from tests.unit.fake_cgroupfs import FakeCgroupfs

Watching = Callable[[str], TreeWatch]


def interest(glob: str) -> Interest:
    policy = {"name": "a", "match": glob, "reclaim": {"start": "75%", "stop": "70%"}}
    return Interest(Config.model_validate({"policies": [policy]}))


@pytest.fixture
def watching(cgroupfs: FakeCgroupfs) -> Iterator[Watching]:
    """Start a watch for a glob; ended after the test."""
    watches: list[TreeWatch] = []

    def start(glob: str) -> TreeWatch:
        watches.append(TreeWatch(cgroupfs.root, interest(glob)))
        return watches[-1]

    yield start
    for watch in watches:
        watch.close()


def created(path: str) -> Change:
    return Change(ChangeKind.CREATED, path)


def removed(path: str) -> Change:
    return Change(ChangeKind.REMOVED, path)


def is_readable(watch: TreeWatch) -> bool:
    return bool(select.select([watch], [], [], 0)[0])


def test_a_new_cgroup(cgroupfs: FakeCgroupfs, watching: Watching) -> None:
    cgroupfs.add("/batch")
    watch = watching("/batch/*")
    cgroupfs.add("/batch/a")
    assert is_readable(watch)
    assert watch.read() == [created("/batch/a")]
    assert not is_readable(watch)


def test_a_removed_cgroup(cgroupfs: FakeCgroupfs, watching: Watching) -> None:
    cgroupfs.add("/batch/a")
    watch = watching("/batch/*")
    cgroupfs.remove("/batch/a")
    assert watch.read() == [removed("/batch/a")]


def test_nothing_happened(cgroupfs: FakeCgroupfs, watching: Watching) -> None:
    cgroupfs.add("/batch/a")
    assert watching("/batch/*").read() == []


def test_a_cgroup_that_is_there_before_its_parent_is_watched(
    cgroupfs: FakeCgroupfs, watching: Watching
) -> None:
    watch = watching("/batch/*/x")
    cgroupfs.add("/batch/a/x")
    assert watch.read() == [created("/batch/a/x")]


def test_a_cgroup_that_comes_after_its_parent_was_watched(cgroupfs: FakeCgroupfs, watching: Watching) -> None:
    watch = watching("/batch/*")
    cgroupfs.add("/batch")
    assert watch.read() == []
    cgroupfs.add("/batch/a")
    assert watch.read() == [created("/batch/a")]


def test_one_that_came_and_went_unseen(cgroupfs: FakeCgroupfs, watching: Watching) -> None:
    watch = watching("/**")
    cgroupfs.add("/a")
    cgroupfs.remove("/a")
    assert watch.read() == [created("/a"), removed("/a")]


def test_one_that_was_replaced_is_watched_again(cgroupfs: FakeCgroupfs, watching: Watching) -> None:
    cgroupfs.add("/batch")
    watch = watching("/batch/*")
    cgroupfs.remove("/batch")
    cgroupfs.add("/batch")
    watch.read()
    cgroupfs.add("/batch/a")
    assert watch.read() == [created("/batch/a")]


def test_one_that_was_replaced_before_its_event_was_read_leaves_no_watch_behind(
    cgroupfs: FakeCgroupfs, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = watching("/outer/batch/*")

    def children_after_another_came(root: Path, path: str) -> list[Cgroup]:
        if path == "/outer":
            cgroupfs.add("/outer/batch")
        return children_of(root, path)

    cgroupfs.add("/outer")
    with monkeypatch.context() as racing:
        racing.setattr("reclaimd.cgroup.watch.children_of", children_after_another_came)
        watch.read()
    cgroupfs.remove("/outer/batch")
    cgroupfs.add("/outer/batch")
    watch.read()
    cgroupfs.add("/outer/batch/a")
    assert watch.read() == [created("/outer/batch/a")]
    assert sorted(watch._paths.values()) == ["/", "/outer", "/outer/batch"]


def test_a_tree_that_goes_leaf_by_leaf(cgroupfs: FakeCgroupfs, watching: Watching) -> None:
    cgroupfs.add("/batch/a/b")
    watch = watching("/batch/**")
    cgroupfs.remove("/batch/a/b")
    cgroupfs.remove("/batch/a")
    cgroupfs.remove("/batch")
    assert watch.read() == [removed("/batch/a/b"), removed("/batch/a")]


def test_what_does_not_matter_wakes_nobody(cgroupfs: FakeCgroupfs, watching: Watching) -> None:
    cgroupfs.add("/batch/a")
    cgroupfs.add("/system")
    watch = watching("/batch/*")
    cgroupfs.add("/batch/a/inner")
    cgroupfs.add("/system/b")
    (cgroupfs.root / "batch" / "a" / "memory.max").write_text("4096\n")
    assert not is_readable(watch)


def test_what_does_not_matter_is_not_reported(cgroupfs: FakeCgroupfs, watching: Watching) -> None:
    watch = watching("/batch/*")
    cgroupfs.add("/system")
    (cgroupfs.root / "file").write_text("")
    assert is_readable(watch)
    assert watch.read() == []


def test_many_at_once_are_all_reported(cgroupfs: FakeCgroupfs, watching: Watching) -> None:
    watch = watching("/*")
    paths = [f"/{number:04}" for number in range(3000)]
    for path in paths:
        (cgroupfs.root / path[1:]).mkdir()
    seen: list[Change] = []
    while is_readable(watch):
        seen += watch.read()
    assert seen == [created(path) for path in paths]


@pytest.fixture
def fast_cgroupfs() -> Iterator[FakeCgroupfs]:
    """One in memory: thousands of directories fill the kernel's queue, and disks are slow to make them."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as path:
        yield FakeCgroupfs(Path(path) / "cgroup")


def test_after_lost_events_the_watch_goes_on(fast_cgroupfs: FakeCgroupfs) -> None:
    cgroupfs = fast_cgroupfs
    cgroupfs.add("/batch")
    cgroupfs.add("/old")
    watch = TreeWatch(cgroupfs.root, interest("/*/a"))
    flapping = cgroupfs.root / "flapping"
    for _ in range(int(Path("/proc/sys/fs/inotify/max_queued_events").read_text()) // 2 + 1):
        flapping.mkdir()
        flapping.rmdir()
    cgroupfs.add("/new")
    cgroupfs.remove("/old")
    seen: list[Change] = []
    while is_readable(watch):
        seen += watch.read()
    assert seen == [Change(ChangeKind.LOST, "/")]
    for path in ("/batch/a", "/new/a"):
        cgroupfs.add(path)
    assert watch.read() == [created("/batch/a"), created("/new/a")]
    watch.close()


def test_a_watch_is_closed_with_its_block(cgroupfs: FakeCgroupfs) -> None:
    with TreeWatch(cgroupfs.root, interest("/*")) as watch:
        fd = watch.fileno()
    assert not Path(f"/proc/self/fd/{fd}").exists()


@contextmanager
def no_more_open_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_running_into_a_limit_says_which(cgroupfs: FakeCgroupfs) -> None:
    expected = r"Too many open files; raise the sysctl fs\.inotify\.max_user_instances"
    with no_more_open_files(), pytest.raises(HostError, match=expected):
        TreeWatch(cgroupfs.root, interest("/*"))


def test_a_root_that_cannot_be_watched_is_an_error_that_leaves_nothing_open(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    before = list(Path("/proc/self/fd").iterdir())
    with pytest.raises(HostError, match=r"cannot watch the cgroup tree: .*symbolic links"):
        TreeWatch(loop, interest("/*"))
    assert list(Path("/proc/self/fd").iterdir()) == before


def test_after_a_failure_the_tree_is_walked_again(cgroupfs: FakeCgroupfs, watching: Watching) -> None:
    watch = watching("/batch/*")
    cgroupfs.add("/batch/a")
    with no_more_open_files(), pytest.raises(HostError, match="cannot read cgroup /batch"):
        watch.read()
    assert watch.read() == [Change(ChangeKind.LOST, "/")]
    cgroupfs.add("/batch/b")
    assert watch.read() == [created("/batch/b")]
