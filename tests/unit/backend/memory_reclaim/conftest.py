# SPDX-License-Identifier: GPL-2.0-or-later

import pytest

from reclaimd.backend.memory_reclaim import files
from tests.unit.backend.memory_reclaim.kernel import FakeKernel
from tests.unit.fake_cgroupfs import FakeCgroupfs


@pytest.fixture
def kernel(cgroupfs: FakeCgroupfs, monkeypatch: pytest.MonkeyPatch) -> FakeKernel:
    """What reclaims when something is written to memory.reclaim."""
    kernel = FakeKernel(cgroupfs)
    monkeypatch.setattr(files, "write", kernel.write)
    return kernel
