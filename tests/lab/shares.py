# SPDX-License-Identifier: GPL-2.0-or-later
"""What the host shares with the guest, the root and the checkout, over 9p or virtio-fs.

9p is built into QEMU, and our kernels have it. Debian's kernel for cloud machines has virtio-fs instead: for each share
a virtiofsd runs beside QEMU, that of the lab root under the root's own loader, whatever Debian the host has.
"""

import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

MSIZE_BYTES = 262144
BACKLOG = 1


class Sharing(StrEnum):
    """The type of the file system that a share is mounted as."""

    PLAN9 = "9p"
    VIRTIOFS = "virtiofs"

    @property
    def mount_options(self) -> str:
        """What the guest mounts a share with."""
        plan9 = f"trans=virtio,version=9p2000.L,msize={MSIZE_BYTES}"
        return plan9 if self is Sharing.PLAN9 else "rw"

    @property
    def root_words(self) -> list[str]:
        """The words of the kernel command line that mount the root."""
        words = ["root=root", f"rootfstype={self}", "ro"]
        # The root never changes while a VM runs, so the guest may cache all of it; virtiofsd has an option for that.
        return [*words, f"rootflags={self.mount_options},cache=loose"] if self is Sharing.PLAN9 else words


@dataclass(frozen=True)
class Share:
    """A directory of the host under the tag by which the guest mounts it."""

    tag: str
    path: Path
    readonly: bool


def devices(shares: list[Share], fds: Mapping[str, int], memory_mib: int) -> list[str]:
    """QEMU's options; `fds` has the connection to each share's virtiofsd, and is empty for 9p."""
    if not fds:
        return [option for share in shares for option in _plan9(share)]
    memory = f"memory-backend-memfd,id=memory,size={memory_mib}M,share=on"
    virtiofs = [option for share in shares for option in _virtiofs(share.tag, fds[share.tag])]
    # virtiofsd reads and writes the guest's memory itself.
    return ["-object", memory, "-machine", "memory-backend=memory", *virtiofs]


@contextmanager
def served(sharing: Sharing, shares: list[Share], rootfs: Path, log: Path) -> Iterator[dict[str, int]]:
    """Serve what QEMU does not serve by itself; yields a connection by each share's tag, for QEMU alone."""
    with ExitStack() as opened:
        connections = {
            share.tag: opened.enter_context(_serve(share, rootfs, log))
            for share in shares
            if sharing is Sharing.VIRTIOFS
        }
        yield {tag: connection.fileno() for tag, connection in connections.items()}


def virtiofsd(rootfs: Path, share: Share, fd: int) -> list[str]:
    """The command that serves a share to whoever connects to the listening socket `fd`."""
    libraries = rootfs / "usr/lib/x86_64-linux-gnu"
    return [
        *("setpriv", "--pdeathsig", "KILL"),
        *(str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries)),
        *(str(rootfs / "usr/libexec/virtiofsd"), f"--fd={fd}", f"--shared-dir={share.path}"),
        # As QEMU serves 9p: as the same user, in the same namespaces.
        *("--sandbox=none", "--log-level=error"),
        *(("--readonly", "--cache=always") if share.readonly else ()),
    ]


@contextmanager
def _serve(share: Share, rootfs: Path, log: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as connection:
        listening.bind("")  # an abstract address of the kernel's choice: paths of sockets must be short
        listening.listen(BACKLOG)
        with log.open("ab") as output:
            server = subprocess.Popen(
                virtiofsd(rootfs, share, listening.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(listening.fileno(),),
                start_new_session=True,
            )
        try:
            connection.connect(listening.getsockname())
            yield connection
        finally:
            server.kill()
            server.wait()


def _plan9(share: Share) -> tuple[str, ...]:
    options = f"local,id={share.tag},path={share.path},security_model=none,multidevs=remap"
    if share.readonly:
        options += ",readonly=on"
    return ("-fsdev", options, "-device", f"virtio-9p-pci,fsdev={share.tag},mount_tag={share.tag}")


def _virtiofs(tag: str, fd: int) -> tuple[str, ...]:
    return (
        *("-chardev", f"socket,id=fs-{tag},fd={fd}"),
        *("-device", f"vhost-user-fs-pci,chardev=fs-{tag},tag={tag}"),
    )
