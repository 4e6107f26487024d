# SPDX-License-Identifier: GPL-2.0-or-later
"""The VM with Debian's own kernel: what differs from the others, and that nothing else does."""

from collections.abc import Iterator

import pytest

from tests.lab import CHECKOUT
from tests.lab.kernels import KernelName
from tests.lab.lab import machine
from tests.lab.qemu import Init
from tests.lab.test_vm import output
from tests.lab.vm import Vm, run_directory


@pytest.fixture(scope="module", params=Init)
def vm(request: pytest.FixtureRequest) -> Iterator[Vm]:
    with run_directory() as directory, Vm(machine(KernelName.STOCK, request.param), directory) as guest:
        yield guest


def test_kernel_is_debians(vm: Vm) -> None:
    assert vm.kernel_release.endswith("-cloud-amd64")


def test_checkout_is_at_its_place_and_can_be_written(vm: Vm) -> None:
    mark = CHECKOUT / "build" / "lab" / "stock-mark"
    mark.unlink(missing_ok=True)
    assert output(vm, f"echo here > {mark}; pwd") == f"{CHECKOUT}\n"
    assert mark.read_text() == "here\n"
    mark.unlink()


def test_root_can_be_written_to_and_stays_as_it_is(vm: Vm) -> None:
    assert output(vm, "echo here > /etc/mark; ls /run/upper/etc/mark") == "/run/upper/etc/mark\n"
    assert vm.run(["touch", "/run/lower/etc/mark"]).status == 1


def test_guest_has_what_reclaim_needs(vm: Vm) -> None:
    assert output(vm, 'findmnt -no FSTYPE "$RECLAIMD_LAB_DISK"') == "ext4\n"
    assert "/dev/zram0" in output(vm, "cat /proc/swaps")
    assert "memory" in output(vm, "cat /sys/fs/cgroup/cgroup.subtree_control")
    assert output(vm, "ls /sys/fs/cgroup/memory.reclaim /proc/pressure/memory") != ""
