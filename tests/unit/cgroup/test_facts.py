# SPDX-License-Identifier: GPL-2.0-or-later

import os
import threading
from pathlib import Path

import pytest

from reclaimd.cgroup.facts import CgroupFacts, Memory, read_facts, survey
from reclaimd.errors import HostError
from tests.unit.fake_cgroupfs import FakeCgroupfs

MIB = 1 << 20


def test_limits_and_usage_in_bytes(cgroupfs: FakeCgroupfs) -> None:
    cgroup_id = cgroupfs.add("/a", max_bytes=32 * MIB, high_bytes=24 * MIB, current_bytes=4096)
    memory = Memory(current_bytes=4096, max_bytes=32 * MIB, high_bytes=24 * MIB)
    assert read_facts(cgroupfs.root, "/a") == CgroupFacts(cgroup_id, "/a", memory)


def test_max_is_no_limit(cgroupfs: FakeCgroupfs) -> None:
    cgroupfs.add("/a")
    facts = read_facts(cgroupfs.root, "/a")
    assert facts is not None
    assert facts.memory == Memory(current_bytes=0, max_bytes=None, high_bytes=None)


def test_without_the_memory_controller_there_is_no_memory(cgroupfs: FakeCgroupfs) -> None:
    cgroup_id = cgroupfs.add("/a", memory=False)
    assert read_facts(cgroupfs.root, "/a") == CgroupFacts(cgroup_id, "/a", None)


def test_a_cgroup_that_has_gone_is_none(cgroupfs: FakeCgroupfs) -> None:
    assert read_facts(cgroupfs.root, "/gone") is None


@pytest.mark.parametrize("last", ["memory.current", "memory.max", "memory.high"])
def test_a_cgroup_that_goes_while_it_is_read_is_none(cgroupfs: FakeCgroupfs, last: str) -> None:
    cgroupfs.add("/a", max_bytes=32 * MIB)
    # Opening the pipe for reading waits for a writer: that is the moment at which the cgroup goes.
    held_up = cgroupfs.root / "a" / last
    held_up.unlink()
    os.mkfifo(held_up)

    def remove_meanwhile() -> None:
        writer = os.open(held_up, os.O_WRONLY)
        cgroupfs.remove("/a")
        os.write(writer, b"4096\n")
        os.close(writer)

    thread = threading.Thread(target=remove_meanwhile)
    thread.start()
    facts = read_facts(cgroupfs.root, "/a")
    thread.join()
    # What was read last was still of the old cgroup, whole.
    assert (facts is None) == (last != "memory.high")


@pytest.mark.parametrize("text", ["", "max or so", "-1", "4k", "\xff"])
def test_what_no_kernel_writes_is_an_error_with_the_file_named(cgroupfs: FakeCgroupfs, text: str) -> None:
    cgroupfs.add("/a")
    (cgroupfs.root / "a" / "memory.max").write_text(text)
    with pytest.raises(HostError, match=r"^memory.max holds"):
        read_facts(cgroupfs.root, "/a")


def test_what_cannot_be_read_is_an_error_with_the_cgroup_named(cgroupfs: FakeCgroupfs) -> None:
    cgroupfs.add("/a")
    limit = cgroupfs.root / "a" / "memory.max"
    limit.unlink()
    limit.symlink_to(limit)
    with pytest.raises(HostError, match=r"^cannot read cgroup /a: Too many levels of symbolic links"):
        read_facts(cgroupfs.root, "/a")


def test_a_survey_has_everyone(cgroupfs: FakeCgroupfs) -> None:
    for path in ("/a", "/a/b", "/c"):
        cgroupfs.add(path)
    assert [facts.path for facts in survey(cgroupfs.root)] == ["/a", "/c", "/a/b"]


def test_no_file_descriptor_is_left_open(cgroupfs: FakeCgroupfs) -> None:
    cgroupfs.add("/a")
    cgroupfs.add("/b", memory=False)
    before = _open_fds()
    for path in ("/a", "/b", "/gone"):
        read_facts(cgroupfs.root, path)
    assert _open_fds() == before


def _open_fds() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
