# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything that a VM needs, made if it is missing."""

from kernel_patches.kernel import Variant, kernel
from tests.lab import accel, programs
from tests.lab.qemu import Init, Machine
from tests.lab.root import root


def machine(variant: Variant, init: Init = Init.AGENT, *, memory_mib: int = 2048, cpus: int = 2) -> Machine:
    """A machine that boots the kernel of this variant; root, kernel and the programs for it are built first."""
    built = kernel(variant)
    programs.build(built)
    return Machine(variant, built.bz_image, root(), accel.choose(built.bz_image), memory_mib, cpus, init)
