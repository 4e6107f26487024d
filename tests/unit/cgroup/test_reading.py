# SPDX-License-Identifier: GPL-2.0-or-later

from pathlib import Path

import pytest

from reclaimd.cgroup.reading import EVENTS, SHARES, Reading, take_reading
from tests.unit.fake_cgroupfs import FakeCgroupfs


def read(cgroupfs: FakeCgroupfs, cgroup_id: int) -> Reading | None:
    return take_reading(str(cgroupfs.root), "/a", cgroup_id)


def test_everything_is_read(cgroupfs: FakeCgroupfs) -> None:
    reading = read(cgroupfs, cgroupfs.add("/a", current_bytes=4096))
    assert reading is not None
    assert reading.usage_bytes == 4096
    assert dict(zip(SHARES, reading.stalled_us, strict=True)) == {"some": 1_500_000, "full": 250_000}
    assert dict(zip(EVENTS, reading.events, strict=True)) == {
        "low": 1,
        "high": 2,
        "max": 3,
        "oom": 4,
        "oom_kill": 5,
    }


def test_without_psi_there_are_no_stalls(cgroupfs: FakeCgroupfs) -> None:
    cgroup_id = cgroupfs.add("/a")
    (cgroupfs.root / "a/memory.pressure").unlink()
    reading = read(cgroupfs, cgroup_id)
    assert reading is not None
    assert reading.stalled_us == ()


def test_another_cgroup_at_the_path_is_not_read(cgroupfs: FakeCgroupfs) -> None:
    assert read(cgroupfs, cgroupfs.add("/a") + 1) is None


@pytest.mark.parametrize("file", ["memory.current", "memory.events", "."])
def test_a_cgroup_that_is_being_removed_is_not_read(cgroupfs: FakeCgroupfs, file: str) -> None:
    cgroup_id = cgroupfs.add("/a")
    gone = cgroupfs.root / "a" / file
    gone.rename(Path(f"{cgroupfs.root}/gone"))
    assert read(cgroupfs, cgroup_id) is None
