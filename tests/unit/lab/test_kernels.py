# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernels that the VM boots."""

from pathlib import Path

import pytest

from kernel_patches.kernel import Variant
from tests.lab.errors import LabError
from tests.lab.kernels import KernelName, stock_image

IMAGE = "vmlinuz-6.12.1+deb13-cloud-amd64"


def _root(tmp_path: Path, *names: str) -> Path:
    (tmp_path / "boot").mkdir()
    for name in names:
        (tmp_path / "boot" / name).touch()
    return tmp_path


def test_every_patched_kernel_can_be_booted() -> None:
    assert set(Variant) == {name.variant for name in KernelName}


def test_stock_kernel_is_that_of_the_root(tmp_path: Path) -> None:
    rootfs = _root(tmp_path, IMAGE, "config-6.12.1+deb13-cloud-amd64")
    assert stock_image(rootfs) == rootfs / "boot" / IMAGE


@pytest.mark.parametrize("names", [(), (IMAGE, "vmlinuz-6.12.2+deb13-cloud-amd64")])
def test_root_without_exactly_one_is_told_of(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(LabError, match=f"has {len(names)} of"):
        stock_image(_root(tmp_path, *names))
