# SPDX-License-Identifier: GPL-2.0-or-later
"""Where this host has its cgroups."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reclaimd.errors import HostError

MOUNTINFO = Path("/proc/self/mountinfo")

_OCTAL_ESCAPE = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class _Mount:
    point: Path
    kind: str
    options: frozenset[str]


def find_cgroup_root(mountinfo: Path = MOUNTINFO) -> Path:
    """Return where cgroup2 with the memory controller is mounted.

    Args:
        mountinfo: a file as proc_pid_mountinfo(5) describes it.

    Raises:
        HostError: there is no such mount; says what is missing and what to do.
    """
    mounts = _mounts(mountinfo)
    roots = [mount.point for mount in mounts if mount.kind == "cgroup2"]
    for root in roots:
        if "memory" in controllers(root):
            return root
    for mount in mounts:
        if mount.kind == "cgroup" and "memory" in mount.options:
            raise HostError(
                f"the memory controller is on cgroup v1 ({mount.point})",
                hint="boot with systemd.unified_cgroup_hierarchy=1 or cgroup_no_v1=memory",
            )
    if not roots:
        raise HostError(
            "no cgroup2 file system is mounted",
            hint="boot with systemd.unified_cgroup_hierarchy=1, or mount -t cgroup2 none /sys/fs/cgroup",
        )
    raise HostError(
        f"cgroup2 at {roots[0]} has no memory controller",
        hint="use a kernel with CONFIG_MEMCG, booted without cgroup_disable=memory",
    )


def controllers(cgroup: Path) -> frozenset[str]:
    """Return the controllers that a cgroup's directory offers; none where it says nothing."""
    try:
        return frozenset((cgroup / "cgroup.controllers").read_text("ascii").split())
    except OSError:
        return frozenset()


def _mounts(mountinfo: Path) -> list[_Mount]:
    try:
        lines = mountinfo.read_bytes().rstrip(b"\n").split(b"\n")
    except OSError as error:
        raise HostError(f"cannot read {mountinfo}: {error.strerror}", hint="mount /proc") from error
    # A later mount on the same directory hides the earlier one.
    visible = {mount.point: mount for mount in _parse(lines)}
    return list(visible.values())


def _parse(lines: list[bytes]) -> Iterator[_Mount]:
    for line in lines:
        # Optional fields come before the lone dash, so that only what surrounds it has a fixed place.
        before, _, after = line.partition(b" - ")
        kind, _source, options = after.split(b" ", 2)
        point = _OCTAL_ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), before.split(b" ")[4])
        yield _Mount(
            point=Path(point.decode("utf-8", "surrogateescape")),
            kind=kind.decode("ascii", "replace"),
            options=frozenset(options.decode("ascii", "replace").split(",")),
        )
