# SPDX-License-Identifier: GPL-2.0-or-later
"""Compiling libfdt, of Debian's device-tree-compiler; the kernel's source has it too, in scripts/dtc/libfdt."""

import os
import subprocess
import time
from pathlib import Path

from reclaimd.bench.enter import in_cgroup
from reclaimd.bench.unavailable import UnavailableError
from reclaimd.bench.workloads import NS_PER_S, Command, Place, Timings

JOBS = 2
LIMIT_SHARE = 0.6
"""memory.max, as a share of the peak of a compilation without a limit."""
MIB = 1 << 20


def compile_sources(sources: Path | None, place: Place) -> Timings:
    """Compile what is in *sources*; the objects go to the disk.

    Raises:
        UnavailableError: there are no sources, or no compiler.
        CalledProcessError: they do not compile.
    """
    if sources is None or not list(sources.glob("*.c")):
        raise UnavailableError("there are no sources to compile (--sources)")
    objects = place.disk / "data-objects"
    objects.mkdir()
    units = " ".join(f"{objects}/{source.stem}.o" for source in sorted(sources.glob("*.c")))
    rules = f"all: {units}\n{objects}/%.o: {sources}/%.c\n\tgcc -O2 -I{sources} -c -o $@ $<\n"
    (objects / "Makefile").write_text(rules)
    (cgroup,) = place.cgroups
    command: Command = ["make", "-s", f"-j{JOBS}", "-f", objects / "Makefile"]
    started_ns = time.monotonic_ns()
    subprocess.run(in_cgroup(cgroup, command), check=True, cwd=objects, env=dict(os.environ))
    return Timings(started_ns, (time.monotonic_ns() - started_ns) / NS_PER_S)


def limit_mib(cgroup: Path) -> int:
    """Return the memory.max for a cgroup that is to have LIMIT_SHARE of what *cgroup* needed at its peak."""
    return max(1, int(int((cgroup / "memory.peak").read_text()) * LIMIT_SHARE) // MIB)
