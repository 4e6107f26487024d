# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of the VM."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.lab import CHECKOUT, qemu
from tests.lab.accel import Accel
from tests.lab.errors import LabError
from tests.lab.qemu import Init, Machine, command_line
from tests.lab.shares import Sharing

MACHINE = Machine("debug", Path("/cache/bzImage"), Path("/cache/rootfs"), Accel.TCG, memory_mib=512, cpus=1)


def _command(
    machine: Machine = MACHINE,
    *,
    port_fd: int | None = 7,
    console_size: str | None = None,
    share_fds: Mapping[str, int] = MappingProxyType({}),
) -> list[str]:
    return command_line(
        machine,
        disk=Path("/run/disk.img"),
        console=Path("/run/console.log"),
        port_fd=port_fd,
        console_size=console_size,
        share_fds=share_fds,
    )


def test_root_is_read_only_and_the_checkout_is_not() -> None:
    root, checkout = [word for word in _command() if word.startswith("local,")]
    assert "path=/cache/rootfs," in root
    assert root.endswith("readonly=on")
    assert f"path={CHECKOUT}," in checkout
    assert "readonly" not in checkout


def _kernel_words(machine: Machine, share_fds: Mapping[str, int] = MappingProxyType({})) -> list[str]:
    command = _command(machine, share_fds=share_fds)
    return command[command.index("-append") + 1].split()


STOCK = replace(MACHINE, kernel_name="stock", sharing=Sharing.VIRTIOFS)
CONNECTIONS = {"root": 8, "checkout": 9}


def test_virtio_fs_shares_the_guests_memory_with_who_serves_it() -> None:
    command = " ".join(_command(STOCK, share_fds=CONNECTIONS))
    assert "-object memory-backend-memfd,id=memory,size=512M,share=on" in command
    assert "socket,id=fs-checkout,fd=9 -device vhost-user-fs-pci,chardev=fs-checkout,tag=checkout" in command
    assert "9p" not in command


def test_root_is_mounted_as_what_it_is_shared_as() -> None:
    assert {"rootfstype=virtiofs", "ro"} <= set(_kernel_words(STOCK, CONNECTIONS))
    assert {"rootfstype=9p", "ro"} <= set(_kernel_words(MACHINE))


def test_guest_is_told_its_kernel_and_where_the_checkout_belongs() -> None:
    assert {f"reclaimd.checkout={CHECKOUT}", "reclaimd.kernel=debug"} <= set(_kernel_words(MACHINE))


@pytest.mark.parametrize("init", Init)
def test_guest_is_told_its_init(init: Init) -> None:
    assert f"reclaimd.init={init}" in _kernel_words(replace(MACHINE, init=init))


def test_clock_counts_instructions_only_where_it_is_asked_to() -> None:
    assert "-icount" not in _command()
    counted = _command(replace(MACHINE, accel=Accel.ICOUNT))
    assert counted[counted.index("-icount") + 1] == "shift=0"


def test_vm_with_commands_has_a_port_and_no_terminal() -> None:
    command = " ".join(_command())
    assert "socket,id=lab,fd=7" in command
    assert "stdio" not in command


def test_shell_has_the_terminal_and_no_port() -> None:
    command = " ".join(_command(port_fd=None, console_size="24x80"))
    assert "reclaimd.shell=24x80" in command
    assert "stdio,id=console" in command
    assert "virtserialport" not in command


def test_checkout_that_a_kernel_command_line_cannot_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qemu, "CHECKOUT", Path("/home/some one/reclaimd"))
    with pytest.raises(LabError, match="must have no blanks"):
        _command()
