# SPDX-License-Identifier: GPL-2.0-or-later
"""What may be added to the delay that memcg_charged returns: extensions of the interface."""

from reclaimd.kernel.btf import KERNEL_BTF, Btf


def delay_flag(name: str) -> int:
    """A flag's value, from where a program would take it."""
    flag = Btf.parse(KERNEL_BTF).enumerator("memcg_bpf_delay_flags", name)
    assert flag is not None
    return flag
