# SPDX-License-Identifier: GPL-2.0-or-later
"""Sends the tests that need a kernel to the lab's VM; inside it, everything runs where it is, or says why it does not."""

import os

import pytest

from tests.backends import KERNEL, marks, why_left_out


def pytest_configure(config: pytest.Config) -> None:
    """Register the VM's plugin on the host."""
    if "RECLAIMD_LAB_GUEST" not in os.environ:
        from tests.lab.pytest_vm import VmRunner  # noqa: PLC0415 - the guest has neither use nor need of it

        config.pluginmanager.register(VmRunner(config), "lab-vm")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out, with the reason, what has nothing to show on this kernel."""
    reason = why_left_out(KERNEL, marks(item))
    if reason:
        pytest.skip(reason)
