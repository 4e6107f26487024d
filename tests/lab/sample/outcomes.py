# SPDX-License-Identifier: GPL-2.0-or-later
"""One test for each way to end that leaves the VM alive."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROVOKE = Path("/sys/kernel/debug/provoke-crash/DIRECT")


def test_passes() -> None:
    assert os.environ["RECLAIMD_LAB_GUEST"]


def test_fails() -> None:
    print("said before the end")
    assert sys.version_info < (3,), "the guest has Python 3"


@pytest.mark.parametrize("value", ["plain", "with blank", "with::colons"])
def test_takes(value: str) -> None:
    assert value


def test_skips() -> None:
    pytest.skip("not today")


@pytest.mark.xfail(reason="known to fail")
def test_is_expected_to_fail() -> None:
    raise AssertionError


@pytest.fixture
def broken_set_up() -> None:
    raise OSError("no set-up")


def test_cannot_be_set_up(broken_set_up: None) -> None:
    pass


@pytest.fixture
def broken_tear_down() -> Iterator[None]:
    yield
    raise OSError("no tear-down")


def test_cannot_be_torn_down(broken_tear_down: None) -> None:
    pass


@pytest.mark.debug_kernel
def test_needs_the_debug_kernel() -> None:
    raise AssertionError("the lab's kernel has no KASAN")


def test_makes_the_kernel_warn() -> None:
    PROVOKE.write_text("WARNING")


def test_comes_after_the_warning() -> None:
    pass
