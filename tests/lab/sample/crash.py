# SPDX-License-Identifier: GPL-2.0-or-later
"""A test that takes the VM with it, between two that do not."""

from pathlib import Path


def test_comes_before() -> None:
    pass


def test_makes_the_kernel_panic() -> None:
    Path("/sys/kernel/debug/provoke-crash/DIRECT").write_text("PANIC")


def test_comes_after() -> None:
    pass
