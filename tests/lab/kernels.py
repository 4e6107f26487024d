# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernels that the VM can boot: our own, which are built, and Debian's, which comes with the lab root."""

from enum import StrEnum
from pathlib import Path

from kernel_patches.kernel import Variant
from tests.lab.errors import LabError


class KernelName(StrEnum):
    """What the VM boots."""

    LAB = "lab"
    """With our patches."""
    DEBUG = "debug"
    """The same with KASAN, lockdep and other checkers."""
    UNPATCHED = "unpatched"
    """The same source and configuration, without them."""
    STOCK = "stock"
    """Debian's for cloud machines, as it is."""

    @property
    def variant(self) -> Variant:
        """The patched kernel that it is, or, for the stock kernel, the one that programs are compiled for."""
        return Variant.LAB if self is KernelName.STOCK else Variant(self.value)


def stock_image(rootfs: Path) -> Path:
    """The image of Debian's kernel in the lab root; raises LabError when there is none, or more than one."""
    images = sorted((rootfs / "boot").glob("vmlinuz-*-cloud-amd64"))
    if len(images) != 1:
        raise LabError(f"{rootfs}/boot has {len(images)} of Debian's kernels for cloud machines, not one")
    return images[0]
