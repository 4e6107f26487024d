# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of the VM."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab import CHECKOUT, qemu
from tests.lab.accel import Accel
from tests.lab.errors import LabError
from tests.lab.qemu import Init, Machine, command_line

MACHINE = Machine("debug", Path("/cache/bzImage"), Path("/cache/rootfs"), Accel.TCG, memory_mib=512, cpus=1)


def _command(
    machine: Machine = MACHINE, *, port_fd: int | None = 7, console_size: str | None = None
) -> list[str]:
    disk, console = Path("/run/disk.img"), Path("/run/console.log")
    return command_line(machine, disk=disk, console=console, port_fd=port_fd, console_size=console_size)


def test_root_is_read_only_and_the_checkout_is_not() -> None:
    root, checkout = [word for word in _command() if word.startswith("local,")]
    assert "path=/cache/rootfs," in root
    assert root.endswith("readonly=on")
    assert f"path={CHECKOUT}," in checkout
    assert "readonly" not in checkout


def _kernel_words(machine: Machine) -> list[str]:
    command = _command(machine)
    return command[command.index("-append") + 1].split()


def test_guest_is_told_its_kernel_and_where_the_checkout_belongs() -> None:
    assert {f"reclaimd.checkout={CHECKOUT}", "reclaimd.kernel=debug"} <= set(_kernel_words(MACHINE))


@pytest.mark.parametrize("init", Init)
def test_guest_is_told_its_init(init: Init) -> None:
    assert f"reclaimd.init={init}" in _kernel_words(replace(MACHINE, init=init))


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
