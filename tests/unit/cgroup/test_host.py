# SPDX-License-Identifier: GPL-2.0-or-later

from contextlib import suppress
from pathlib import Path

import pytest

from reclaimd.cgroup.host import controllers, find_cgroup_root
from reclaimd.errors import HostError
from tests.unit.fake_cgroupfs import FakeCgroupfs

ROOT_MOUNT = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw"
SYS_MOUNT = "23 27 0:22 / /sys rw,nosuid shared:7 master:1 - sysfs  rw"


def cgroup2(point: Path | str) -> str:
    return f"41 23 0:38 / {point} rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"


def cgroup1(point: str, controller: str) -> str:
    return f"35 31 0:32 / {point} rw,relatime - cgroup cgroup rw,{controller}"


def mountinfo(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "mountinfo"
    path.write_text("\n".join([ROOT_MOUNT, SYS_MOUNT, *lines]) + "\n")
    return path


def failure(path: Path) -> str:
    with pytest.raises(HostError) as caught:
        find_cgroup_root(path)
    return str(caught.value)


def test_the_mount_with_the_memory_controller(cgroupfs: FakeCgroupfs, tmp_path: Path) -> None:
    assert find_cgroup_root(mountinfo(tmp_path, cgroup2(cgroupfs.root))) == cgroupfs.root


def test_of_two_mounts_the_one_with_the_memory_controller(cgroupfs: FakeCgroupfs, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    path = mountinfo(tmp_path, cgroup2(tmp_path / "other"), cgroup2(cgroupfs.root))
    assert find_cgroup_root(path) == cgroupfs.root


def test_mount_points_with_spaces(tmp_path: Path) -> None:
    cgroupfs = FakeCgroupfs(tmp_path / "a b")
    path = mountinfo(tmp_path, cgroup2(str(cgroupfs.root).replace(" ", r"\040")))
    assert find_cgroup_root(path) == cgroupfs.root


def test_a_hidden_mount_does_not_count(cgroupfs: FakeCgroupfs, tmp_path: Path) -> None:
    hiding = f"50 41 0:50 / {cgroupfs.root} rw - tmpfs tmpfs rw"
    assert "no cgroup2 file system is mounted" in failure(mountinfo(tmp_path, cgroup2(cgroupfs.root), hiding))


def test_no_cgroup2(tmp_path: Path) -> None:
    assert failure(mountinfo(tmp_path)) == (
        "no cgroup2 file system is mounted;"
        " boot with systemd.unified_cgroup_hierarchy=1, or mount -t cgroup2 none /sys/fs/cgroup"
    )


def test_memory_on_cgroup_v1(cgroupfs: FakeCgroupfs, tmp_path: Path) -> None:
    (cgroupfs.root / "cgroup.controllers").write_text("\n")
    lines = [cgroup1("/sys/fs/cgroup/cpu", "cpu"), cgroup1("/sys/fs/cgroup/memory", "memory")]
    assert failure(mountinfo(tmp_path, *lines, cgroup2(cgroupfs.root))) == (
        "the memory controller is on cgroup v1 (/sys/fs/cgroup/memory);"
        " boot with systemd.unified_cgroup_hierarchy=1 or cgroup_no_v1=memory"
    )


def test_no_memory_controller_at_all(cgroupfs: FakeCgroupfs, tmp_path: Path) -> None:
    (cgroupfs.root / "cgroup.controllers").write_text("cpu io\n")
    assert failure(mountinfo(tmp_path, cgroup2(cgroupfs.root))) == (
        f"cgroup2 at {cgroupfs.root} has no memory controller;"
        " use a kernel with CONFIG_MEMCG, booted without cgroup_disable=memory"
    )


def test_no_proc(tmp_path: Path) -> None:
    path = tmp_path / "none"
    assert failure(path) == f"cannot read {path}: No such file or directory; mount /proc"


def test_controllers_of_a_cgroup(cgroupfs: FakeCgroupfs) -> None:
    assert controllers(cgroupfs.root) == {"cpu", "io", "memory", "pids"}


def test_this_process_has_a_mountinfo_that_can_be_read() -> None:
    # Whether there is a cgroup2 is this machine's affair, but its own lines must make sense.
    with suppress(HostError):
        assert "memory" in controllers(find_cgroup_root())
