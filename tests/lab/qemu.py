# SPDX-License-Identifier: GPL-2.0-or-later
"""The QEMU command line of a lab VM."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.lab import CHECKOUT
from tests.lab.accel import Accel
from tests.lab.channel import PORT_NAME
from tests.lab.errors import LabError
from tests.lab.shares import Share, Sharing, devices

DISK_BYTES = 8 << 30
"""Size of /dev/vda, a sparse file."""


class Init(StrEnum):
    """What PID 1 of the guest is."""

    AGENT = "agent"
    """The lab's agent itself: quick, and nothing else runs."""
    SYSTEMD = "systemd"
    """systemd, as on a host; the agent is a service of it."""


@dataclass(frozen=True)
class Machine:
    """What a VM is made of."""

    kernel_name: str
    bz_image: Path
    rootfs: Path
    accel: Accel
    memory_mib: int = 2048
    cpus: int = 2
    init: Init = Init.AGENT
    sharing: Sharing = Sharing.PLAN9

    @property
    def shares(self) -> list[Share]:
        """What the guest sees of the host."""
        return [Share("root", self.rootfs, readonly=True), Share("checkout", CHECKOUT, readonly=False)]


def _kernel_arguments(machine: Machine, console_size: str | None) -> str:
    if any(character.isspace() or character in "\"'," for character in str(CHECKOUT)):
        raise LabError(
            f"the checkout's path must have no blanks, quotes or commas to go on a kernel command line: {CHECKOUT}"
        )
    lab = "/run/lab"
    mount = f"mount -t {machine.sharing} -o {machine.sharing.mount_options} checkout {lab}"
    start = f"mount -t tmpfs run /run && mkdir {lab} && {mount} && exec sh {lab}/tests/lab/guest/init"
    words = [
        # An oops ends the VM at once (panic=-1 reboots, QEMU has -no-reboot) instead of leaving it half dead.
        *("console=ttyS0", "printk.time=1", "oops=panic", "panic=-1"),
        *machine.sharing.root_words,
        f"reclaimd.checkout={CHECKOUT}",
        f"reclaimd.kernel={machine.kernel_name}",
        f"reclaimd.init={machine.init}",
        *(["quiet", f"reclaimd.shell={console_size}"] if console_size else []),
        "init=/bin/sh",
        f'-- -c "{start}"',
    ]
    return " ".join(words)


def command_line(
    machine: Machine,
    *,
    disk: Path,
    console: Path,
    port_fd: int | None,
    console_size: str | None,
    share_fds: Mapping[str, int],
) -> list[str]:
    """The command of a VM with its console in a file; `console_size` (ROWSxCOLUMNS) puts the console on the terminal as well.

    `port_fd` is a socket that becomes the host's end of the guest's virtio-serial port; `share_fds` are from
    shares.served().
    """
    if console_size:
        chardev = f"stdio,id=console,mux=on,signal=off,logfile={console}"
    else:
        chardev = f"file,id=console,path={console}"
    port = () if port_fd is None else (
        *("-chardev", f"socket,id=lab,fd={port_fd}", "-device", "virtio-serial-pci"),
        *("-device", f"virtserialport,chardev=lab,name={PORT_NAME}"),
    )  # fmt: skip
    return [
        *("setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64"),
        *("-no-user-config", "-nodefaults", "-display", "none", "-no-reboot"),
        *(
            "-machine",
            "q35",
            *machine.accel.arguments,
            "-smp",
            str(machine.cpus),
            "-m",
            str(machine.memory_mib),
        ),
        *("-kernel", str(machine.bz_image), "-append", _kernel_arguments(machine, console_size)),
        *("-chardev", chardev, "-serial", "chardev:console", *(("-mon", "console") if console_size else ())),
        *("-drive", f"file={disk},format=raw,if=virtio,cache=unsafe,discard=unmap"),
        *("-device", "virtio-rng-pci"),
        *devices(machine.shares, share_fds, machine.memory_mib),
        *port,
    ]
