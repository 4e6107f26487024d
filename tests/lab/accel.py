# SPDX-License-Identifier: GPL-2.0-or-later
"""Which accelerator QEMU gets: KVM only where a guest has really booted under it."""

import os
import subprocess
import tempfile
from enum import StrEnum
from pathlib import Path

from tests.lab.cache import cache_dir
from tests.lab.progress import say

PROBE_LIMIT_S = 15
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
KVM_DEVICE = Path("/dev/kvm")
NO_ROOT_PANIC = "VFS: Unable to mount root fs"


class Accel(StrEnum):
    """QEMU's accelerators that the lab uses."""

    KVM = "kvm"
    TCG = "tcg"
    ICOUNT = "icount"
    """TCG on one CPU whose clock counts instructions, one to a ns; only where it is asked for."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """QEMU's options for it."""
        if self is Accel.KVM:
            return ("-accel", "kvm", "-cpu", "host")
        if self is Accel.ICOUNT:
            return ("-accel", "tcg,thread=single", "-icount", "shift=0", "-cpu", "max,la57=off")
        return ("-accel", "tcg,thread=multi", "-cpu", "max,la57=off")


def choose(bz_image: Path) -> Accel:
    """KVM or TCG; found out by booting `bz_image` once per boot of this host, and said in one line."""
    boot = BOOT_ID.read_text(encoding="utf-8").strip()
    answer = cache_dir() / "accel"
    known = answer.read_text(encoding="utf-8").strip().split(" ", 2) if answer.exists() else []
    if known[:1] != [boot]:
        accel, reason = _probe(bz_image)
        known = [boot, accel, reason]
        partial = answer.with_suffix(f".{os.getpid()}")
        partial.write_text(" ".join(known) + "\n", encoding="utf-8")
        partial.rename(answer)
    _, name, reason = known
    say(f"QEMU runs with {name.upper()}: {reason}")
    return Accel(name)


def _probe(bz_image: Path) -> tuple[Accel, str]:
    if not os.access(KVM_DEVICE, os.R_OK | os.W_OK):
        return Accel.TCG, f"{KVM_DEVICE} is not there or not ours"
    say(f"trying KVM, for at most {PROBE_LIMIT_S} s")
    with tempfile.TemporaryDirectory() as scratch:
        console = Path(scratch) / "console"
        command = [
            "qemu-system-x86_64",
            *("-no-user-config", "-nodefaults", "-display", "none", "-no-reboot", "-m", "256"),
            *Accel.KVM.arguments,
            *("-kernel", str(bz_image), "-append", "console=ttyS0 panic=-1", "-serial", f"file:{console}"),
        ]
        try:
            # Without a root file system the kernel panics and, with -no-reboot, QEMU ends.
            subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return Accel.TCG, f"a guest hangs under the KVM of this host ({PROBE_LIMIT_S} s)"
        booted = console.exists() and NO_ROOT_PANIC in console.read_text(errors="replace")
    if booted:
        return Accel.KVM, "a probe guest booted"
    return Accel.TCG, "a guest does not boot under the KVM of this host"
