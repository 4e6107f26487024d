# SPDX-License-Identifier: GPL-2.0-or-later
"""Sends the tests that need our kernel to the lab's VM; inside it, everything runs where it is."""

import os

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Register the VM's plugin on the host."""
    if "RECLAIMD_LAB_GUEST" not in os.environ:
        from tests.lab.pytest_vm import VmRunner  # noqa: PLC0415 - the guest has neither use nor need of it

        config.pluginmanager.register(VmRunner(config), "lab-vm")
