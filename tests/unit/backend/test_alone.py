# SPDX-License-Identifier: GPL-2.0-or-later
"""One daemon at a time."""

from contextlib import closing
from pathlib import Path

import pytest

from reclaimd.backend.alone import Alone
from reclaimd.errors import ReclaimdError
from tests.unit.fake_cgroupfs import FakeCgroupfs


def offer(root: Path, path: str) -> None:
    """Give a cgroup a memory.reclaim."""
    (root / path.lstrip("/") / "memory.reclaim").write_text("")


def fds() -> set[Path]:
    """Return the descriptors of this process."""
    return set(Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("path", ["/", "/user/mine"])
def test_a_second_one_is_refused_until_the_first_has_gone(cgroupfs: FakeCgroupfs, path: str) -> None:
    cgroupfs.add("/user/mine")
    offer(cgroupfs.root, path)
    before = fds()
    with closing(Alone(cgroupfs.root)), pytest.raises(ReclaimdError, match="running already; stop it first"):
        Alone(cgroupfs.root)
    with closing(Alone(cgroupfs.root)):
        pass
    assert fds() == before


def test_the_uppermost_file_decides(cgroupfs: FakeCgroupfs) -> None:
    for path in ("/user/mine", "/user/mine/app"):
        cgroupfs.add(path)
        offer(cgroupfs.root, path)
    with closing(Alone(cgroupfs.root)):
        (cgroupfs.root / "user/mine/memory.reclaim").unlink()
        with closing(Alone(cgroupfs.root)):
            pass


def test_where_there_is_nothing_to_lock_nobody_is_in_the_way(cgroupfs: FakeCgroupfs) -> None:
    with closing(Alone(cgroupfs.root)), closing(Alone(cgroupfs.root / "nowhere")):
        pass


def test_closing_twice_is_as_good_as_once(cgroupfs: FakeCgroupfs) -> None:
    offer(cgroupfs.root, "/")
    alone = Alone(cgroupfs.root)
    alone.close()
    alone.close()
