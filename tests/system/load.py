# SPDX-License-Identifier: GPL-2.0-or-later
"""Cgroups and what they are loaded with."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kernel.cgroups import CHECKOUT, Cgroup, until
from tests.system.daemon import PATIENCE_S

WORKLOAD = CHECKOUT / "build/bin/workload"
MIB = 1 << 20


def limited(parent: Cgroup, name: str, max_mib: int) -> Cgroup:
    """Make a child with a memory.max and without swap."""
    child = parent.child(name)
    child.write("memory.swap.max", "0")
    child.write("memory.max", str(max_mib * MIB))
    return child


def write_and_read(cgroup: Cgroup, file: Path, size_mib: int) -> None:
    """Write a file in the cgroup, then read it twice through a mapping.

    Linux 6.12 does not wait for a small cgroup's pages when all of them are under writeback: it kills. Then once more.
    """
    for _ in until(PATIENCE_S):
        with _workload("file", cgroup, size_mib, "--path", str(file)) as process:
            status = process.wait(PATIENCE_S)
        if status != -signal.SIGKILL:
            assert status == 0
            return


def fault_in(cgroup: Cgroup, size_mib: int) -> None:
    """Fault in anonymous memory in the cgroup and change all of it once; it is free again at the end."""
    with _workload("anon", cgroup, size_mib) as process:
        assert process.wait(PATIENCE_S) == 0


@contextmanager
def writing(cgroup: Cgroup, file: Path, size_mib: int) -> Iterator[subprocess.Popen[bytes]]:
    """Write and read a file in the cgroup, again and again, as long as the context lasts."""
    with _workload("file", cgroup, size_mib, "--path", str(file), "--endless") as process:
        yield process


@contextmanager
def _workload(kind: str, cgroup: Cgroup, size_mib: int, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [str(WORKLOAD), kind, "--size-mib", str(size_mib), "--cgroup", str(cgroup.path), *more]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        assert process.stdin
        process.stdin.write(b"\n")
        process.stdin.close()
        yield process
    finally:
        process.kill()
        process.wait(PATIENCE_S)


def path_of(cgroup: Cgroup) -> str:
    """Return a cgroup's path below the root, as the daemon says it."""
    return f"/{cgroup.path.relative_to('/sys/fs/cgroup')}"
