# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether this host can be measured on, and what it is."""

import os
import platform
import re
from pathlib import Path

from reclaimd.backend.alone import Alone
from reclaimd.backend.bpf.pins import BPFFS, NAME
from reclaimd.errors import HostError, NotPermittedError, ReclaimdError

NEEDED_BYTES = 1 << 30
MIB = 1 << 20
PROC = Path("/proc")


def require_host(cgroup_root: Path, proc: Path = PROC, bpffs: Path = BPFFS) -> None:
    """Make sure that the benchmark can run, and disturbs nobody who governs cgroups.

    Args:
        cgroup_root: where cgroup2 is mounted.
        proc: where proc is.
        bpffs: where the bpf filesystem is mounted.

    Raises:
        NotPermittedError: only root can run it.
        HostError: this host cannot, or not now.
    """
    if os.geteuid() != 0:
        raise NotPermittedError("only root can make cgroups and govern them", hint="run it as root")
    _require_ungoverned(cgroup_root, bpffs)
    if not (proc / "pressure" / "memory").exists():
        raise HostError("the kernel does not account memory pressure", hint="boot it with psi=1")
    if (left := available_bytes(proc)) < NEEDED_BYTES:
        raise HostError(f"only {left // MIB} MiB of memory are available, not {NEEDED_BYTES // MIB}")


def _require_ungoverned(cgroup_root: Path, bpffs: Path) -> None:
    text = "this host is governed by reclaimd already"
    # It is there while a daemon with bpf runs, and as long as one has left something.
    if (bpffs / NAME).exists():
        hint = "systemctl stop reclaimd, or reclaimd detach if it is not running"
        raise HostError(text, hint=hint)
    try:
        Alone(cgroup_root).close()
    except ReclaimdError as error:
        raise HostError(text, hint="systemctl stop reclaimd") from error


def available_bytes(proc: Path = PROC) -> int:
    """Return how much memory can be had without swapping."""
    found = re.search(r"^MemAvailable: *(\d+) kB$", (proc / "meminfo").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def machine() -> str:
    """Return what this machine is, in words."""
    memory_mib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // MIB
    return f"{os.cpu_count()} CPUs and {memory_mib} MiB of memory on {cpu_model()}"


def cpu_model(proc: Path = PROC) -> str:
    """Return what its first CPU calls itself."""
    names = re.findall(r"^model name\s*: (.*)$", (proc / "cpuinfo").read_text(), re.MULTILINE)
    return names[0] if names else platform.machine()
