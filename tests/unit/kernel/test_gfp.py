# SPDX-License-Identifier: GPL-2.0-or-later
"""GFP flags from BTF."""

from pathlib import Path

import pytest

from reclaimd.errors import HostError
from reclaimd.kernel.gfp import GFP_KERNEL_BITS, gfp_kernel
from tests.unit.kernel.btf_blob import BtfBlob

# Bit numbers of an imaginary kernel.
BITS = dict(zip(GFP_KERNEL_BITS, (10, 11, 6, 7), strict=True))


def _kernel(path: Path, constants: dict[str, int]) -> Path:
    """BTF with other types around the enum, among them everything that is longer than its header."""
    blob = BtfBlob()
    number = blob.integer("unsigned int", 4)
    blob.struct("pair", 8, [("first", number, 0), ("second", number, 4)])
    blob.array(number, number, 3)
    blob.enum("colour", {"RED": 3})
    blob.enum("", {"___GFP_IO_BIT_NOT": 1})
    blob.enum("", constants)
    blob.struct("last", 4, [("only", number, 0)])
    return blob.write(path)


def test_gfp_kernel_is_put_together_from_its_bits(tmp_path: Path) -> None:
    assert gfp_kernel(_kernel(tmp_path / "btf", BITS)) == 1 << 10 | 1 << 11 | 1 << 6 | 1 << 7


def test_a_kernel_without_one_of_them_is_refused(tmp_path: Path) -> None:
    constants = {name: bit for name, bit in BITS.items() if name != "___GFP_IO_BIT"}
    with pytest.raises(HostError, match="no enum has"):
        gfp_kernel(_kernel(tmp_path / "btf", constants))


def test_a_kernel_without_btf_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="No such file"):
        gfp_kernel(tmp_path / "missing")


def test_the_running_kernel_has_them() -> None:
    btf = Path("/sys/kernel/btf/vmlinux")
    if not btf.exists():
        pytest.skip("this kernel has no BTF")
    # __GFP_IO and __GFP_FS have been these bits since 2.6.
    assert gfp_kernel(btf) & (1 << 6 | 1 << 7) == 1 << 6 | 1 << 7
