# SPDX-License-Identifier: GPL-2.0-or-later
"""What unit tests share: a cgroupfs that is made of ordinary files, and how property tests run."""

from pathlib import Path

import pytest
from hypothesis import settings

from tests.unit.fake_cgroupfs import FakeCgroupfs

# No time limit per example, as the machine may be busy with something else. The same examples in every run, so
# that a failure comes from the change at hand; pytest --hypothesis-profile=explore tests/unit looks for others.
settings.register_profile("unit", deadline=None, max_examples=100, derandomize=True, database=None)
settings.register_profile("explore", deadline=None, max_examples=3000, database=None)
settings.load_profile("unit")


@pytest.fixture
def cgroupfs(tmp_path: Path) -> FakeCgroupfs:
    """An empty cgroup2 tree with the memory controller."""
    return FakeCgroupfs(tmp_path / "cgroup")
