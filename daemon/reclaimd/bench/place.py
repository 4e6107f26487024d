# SPDX-License-Identifier: GPL-2.0-or-later
"""What the benchmark makes its own on a host, cgroups and a directory: all of it is gone when it ends."""

import errno
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from reclaimd.bench.experiment import PARENTS, PLAIN_PARENT
from reclaimd.bench.workloads import Command
from reclaimd.errors import HostError

REMOVAL_LIMIT_S = 30.0
POLL_S = 0.02
NEEDED_BYTES = 1 << 30
"""More than any workload writes."""
IN_MEMORY = ("tmpfs", "ramfs")


@contextmanager
def own_cgroups(root: Path, parent: str) -> Iterator[None]:
    """Make the parents of all runs' cgroups while the context lasts, and give their children the memory controller.

    Args:
        root: where cgroup2 is mounted.
        parent: what they are made in, a path below the root, made too; empty for the root itself.

    Raises:
        HostError: there are such cgroups already, or cgroups cannot have the memory controller there.
    """
    own = root / parent.lstrip("/")
    above = own.parent if parent else root
    _require_memory(above)
    names = ("", PLAIN_PARENT, *PARENTS.values()) if parent else (PLAIN_PARENT, *PARENTS.values())
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(_made(own / name.lstrip("/")))
        yield


@contextmanager
def _made(cgroup: Path) -> Iterator[None]:
    try:
        cgroup.mkdir()
    except FileExistsError:
        hint = "if no other benchmark is at work, one was killed: remove it and what is below it by rmdir"
        raise HostError(f"{cgroup} is there already", hint=hint) from None
    except OSError as error:
        raise HostError(f"{cgroup} cannot be made: {error.strerror}", hint="see --parent") from error
    try:
        (cgroup / "cgroup.subtree_control").write_text("+memory")
        yield
    finally:
        # An interruption may have kept a run from removing its own.
        for directory, _, _ in os.walk(cgroup, topdown=False):
            remove_cgroup(Path(directory))


def _require_memory(cgroup: Path) -> None:
    try:
        given = (cgroup / "cgroup.subtree_control").read_text().split()
    except OSError as error:
        raise HostError(f"{cgroup} is no cgroup: {error.strerror}", hint="see --parent") from error
    if "memory" not in given:
        hint = f"echo +memory >{cgroup}/cgroup.subtree_control, or see --parent"
        raise HostError(f"{cgroup} does not give its children the memory controller", hint=hint)


def remove_cgroup(cgroup: Path) -> None:
    """Remove a cgroup; what is still in it, as after an interruption, is killed.

    Raises:
        OSError: it cannot be removed.
    """
    deadline_s = time.monotonic() + REMOVAL_LIMIT_S
    while True:
        try:
            cgroup.rmdir()
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > deadline_s:
                raise
        else:
            return
        (cgroup / "cgroup.kill").write_text("1")
        time.sleep(POLL_S)


@contextmanager
def own_directory(parent: Path) -> Iterator[Path]:
    """Make a directory for files in *parent* while the context lasts.

    Raises:
        HostError: that is no place for them.
    """
    if not parent.is_dir():
        raise HostError(f"{parent} is no directory", hint="see --directory")
    command: Command = ["stat", "--file-system", "--format=%T", parent]
    kind = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    if kind in IN_MEMORY:
        raise HostError(f"{parent} is in memory ({kind})", hint="give --directory one that is on a disk")
    if shutil.disk_usage(parent).free < NEEDED_BYTES:
        raise HostError(f"{parent} has less than {NEEDED_BYTES >> 20} MiB left", hint="see --directory")
    with tempfile.TemporaryDirectory(prefix="reclaimd-bench-", dir=parent) as directory:
        yield Path(directory)
