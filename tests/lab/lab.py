# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything that a VM needs, made if it is missing."""

from kernel_patches.kernel import Variant, kernel
from tests.lab import accel, programs
from tests.lab.kernels import KernelName, stock_image
from tests.lab.qemu import Init, Machine
from tests.lab.root import root
from tests.lab.shares import Sharing


def machine(name: KernelName, init: Init = Init.AGENT, *, memory_mib: int = 2048, cpus: int = 2) -> Machine:
    """A machine that boots this kernel; root, kernel and the programs for it are built first."""
    built = kernel(name.variant)
    # The BPF programs need the types of a kernel that has the hooks; the others run on any.
    programs.build(kernel(Variant.LAB) if name is KernelName.UNPATCHED else built)
    accelerator = accel.choose(built.bz_image)
    stock = name is KernelName.STOCK
    image = stock_image(root()) if stock else built.bz_image
    sharing = Sharing.VIRTIOFS if stock else Sharing.PLAN9
    return Machine(name, image, root(), accelerator, memory_mib, cpus, init, sharing)
