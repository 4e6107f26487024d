# SPDX-License-Identifier: GPL-2.0-or-later

from pathlib import Path

import pytest

from reclaimd.backend.memory_reclaim.files import Files
from reclaimd.backend.memory_reclaim.stolen import VALID_NS, Stolen
from tests.unit.backend.memory_reclaim.kernel import FakeKernel

ASKED = 100


class Counted:
    """A cgroup whose memory.stat says what a test has it say."""

    def __init__(self, stat: Path, files: Files) -> None:
        self.stat = stat
        self.files = files
        self.stolen = Stolen()
        self.say(1000)
        self.stolen.begin(files, 0)

    def say(self, pages: int, key: str = "pgsteal_proactive") -> None:
        """Set the kernel's count."""
        self.stat.write_text(f"anon 0\npgsteal {pages + 7}\n{key} {pages}\n")

    def all_of(self, now_ns: int, fallen: int = 0) -> int:
        """What a write has brought that asked for ASKED pages and says that it was that."""
        return self.stolen.all_of(self.files, ASKED, fallen, now_ns)

    def part_of(self, now_ns: int) -> int:
        """What one has brought that was less."""
        return self.stolen.part_of(self.files, ASKED, now_ns)


@pytest.fixture
def counted(kernel: FakeKernel) -> Counted:
    cgroup_id = kernel.add("/a")
    directory = kernel.directory("/a")
    files = Files.open(str(directory), cgroup_id)
    assert files
    return Counted(directory / "memory.stat", files)


def test_all_that_was_asked_for_is_believed_for_a_while(counted: Counted) -> None:
    counted.say(1250)
    assert counted.all_of(VALID_NS - 1) == ASKED


def test_what_usage_has_fallen_by_was_taken_too(counted: Counted) -> None:
    assert counted.all_of(1, fallen=ASKED - 1) == ASKED
    assert counted.all_of(2, fallen=ASKED + 60) == ASKED + 60


def test_what_is_much_more_was_freed(counted: Counted) -> None:
    assert counted.all_of(1, fallen=100 * ASKED) < 4 * ASKED


def test_what_was_taken_beyond_that_is_counted_then(counted: Counted) -> None:
    counted.all_of(1)
    counted.say(1250)
    assert counted.all_of(VALID_NS) == 250 - ASKED


def test_less_than_was_asked_for_is_looked_up(counted: Counted) -> None:
    counted.say(1040)
    assert counted.part_of(1) == 40
    assert counted.part_of(2) == 0


def test_where_other_reclaim_is_in_the_count_it_is_not_believed(counted: Counted) -> None:
    counted.say(1000, key="other")
    counted.stolen.begin(counted.files, 0)
    counted.say(5000, key="other")
    assert counted.part_of(1) == ASKED - 1
    counted.say(9000, key="other")
    assert counted.all_of(VALID_NS + 1) == ASKED
