# SPDX-License-Identifier: GPL-2.0-or-later
"""Most of the kernel room calls libbpf: without it there is nothing to test."""

import pytest

from reclaimd.errors import HostError
from reclaimd.kernel.libbpf import LIBBPF


@pytest.fixture
def needs_libbpf() -> None:
    """Skip where Debian's libbpf1 is not installed."""
    try:
        _ = LIBBPF.handle
    except HostError as error:
        pytest.skip(str(error))
