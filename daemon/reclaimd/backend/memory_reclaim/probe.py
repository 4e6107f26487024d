# SPDX-License-Identifier: GPL-2.0-or-later
"""What the memory.reclaim of this host can do, found out without reclaiming anything."""

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from reclaimd.backend.base import Ability
from reclaimd.backend.memory_reclaim.deadline import write
from reclaimd.cgroup.tree import files_named
from reclaimd.errors import HostError, NotPermittedError, ReclaimdError

NAME = "memory.reclaim"

#: Capability bit (uapi/linux/capability.h) that short windows of PSI triggers take.
CAP_SYS_RESOURCE = 24

#: Zero bytes: the kernel only looks at the arguments.
_ARGUMENTS = {
    Ability.SWAPPINESS: "0 swappiness=60",
    Ability.SWAPPINESS_ANON_ONLY: "0 swappiness=max",
}
#: The first releases with them, for those who may not write.
_RELEASES = {Ability.SWAPPINESS: (6, 9), Ability.SWAPPINESS_ANON_ONLY: (6, 15)}

#: Cgroups that are looked at for one that may be written to, at most.
_MAX_LOOKED_AT = 10_000

_PROC = Path("/proc")


def obstacle(cgroup_root: Path) -> ReclaimdError | None:
    """Return why this process cannot reclaim here; None if it can.

    Args:
        cgroup_root: where cgroup2 is mounted.
    """
    there_is_one = False
    for file in _files(cgroup_root):
        if _may_write(file):
            return None
        there_is_one = True
    if not there_is_one:
        return HostError(f"no cgroup has {NAME}", hint="boot Linux 5.19 or later")
    return NotPermittedError(
        f"no cgroup's {NAME} may be written to by this user",
        hint="run as root, or where cgroups are delegated to the user",
    )


def abilities(cgroup_root: Path, proc: Path = _PROC) -> frozenset[Ability]:
    """Return what the kernel's memory.reclaim can do, and whether it has PSI; without privileges, too.

    Args:
        cgroup_root: where cgroup2 is mounted.
        proc: where proc is.
    """
    file = next(filter(_may_write, _files(cgroup_root)), None)
    found = {
        ability
        for ability, text in _ARGUMENTS.items()
        if (_takes(file, text) if file else _release(proc) >= _RELEASES[ability])
    }
    if (proc / "pressure/memory").exists():
        found.add(Ability.PSI)
    return frozenset(found)


def features(found: frozenset[Ability], proc: Path = _PROC) -> dict[str, bool]:
    """Return what was looked for, and whether it is there; for people.

    Args:
        found: the abilities.
        proc: where proc is.
    """
    return {
        NAME: True,
        f"{NAME} swappiness": Ability.SWAPPINESS in found,
        f"{NAME} swappiness=max": Ability.SWAPPINESS_ANON_ONLY in found,
        "PSI": Ability.PSI in found,
        "PSI triggers with any window": Ability.PSI in found and _has_capability(proc, CAP_SYS_RESOURCE),
    }


def _files(cgroup_root: Path) -> Iterator[Path]:
    """Yield the files of that name: the root's first, which is there whatever cgroups there are."""
    paths = islice(files_named(cgroup_root, NAME), _MAX_LOOKED_AT)
    # Not by exists(), which fails where somebody has shut others out of a cgroup.
    yield from (path for path in paths if os.path.lexists(path))


def _may_write(file: Path) -> bool:
    return os.access(file, os.W_OK, effective_ids=True)


def _takes(file: Path, text: str) -> bool:
    try:
        fd = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return write(fd, text.encode())
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENODEV):
            raise
        return False
    finally:
        os.close(fd)


def _release(proc: Path) -> tuple[int, int]:
    words = (proc / "sys/kernel/osrelease").read_text().split("-")[0].split(".")
    return int(words[0]), int(words[1])


def _has_capability(proc: Path, bit: int) -> bool:
    with suppress(OSError):
        for line in (proc / "self/status").read_text().splitlines():
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> bit & 1)
    return False
