# SPDX-License-Identifier: GPL-2.0-or-later
"""The tree of cgroups: who there is."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from reclaimd.errors import HostError

#: What opening or reading a cgroup's files ends in when it is removed meanwhile, and what the owner of a
#: delegated subtree can bring about: nested so deeply that its path is longer than the kernel takes, or with a
#: mode that keeps us out, who may not override it.
UNREACHABLE = frozenset({errno.ENOENT, errno.ENODEV, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EACCES})


@dataclass(frozen=True, slots=True)
class Cgroup:
    """A cgroup: its path below the cgroup2 root, such as /batch.slice/a, and its id.

    Paths are used again and again, ids never are. On 64-bit machines the id is the inode number of the
    directory (kernfs_ino() and kernfs_id() in the kernel's include/linux/kernfs.h agree).
    """

    cgroup_id: int
    path: str


def walk(root: Path, descends: Callable[[str], bool] = lambda _path: True) -> Iterator[Cgroup]:
    """Yield every cgroup below the root, parents before their children, siblings by name.

    The root itself is left out: it has no limits. So is what vanishes on the way.

    Args:
        root: where cgroup2 is mounted.
        descends: whether to look into the cgroup at a path.

    Raises:
        HostError: a directory cannot be read, and not because it has gone.
    """
    waiting = ["/"]
    while waiting:
        children = children_of(root, waiting.pop())
        yield from children
        waiting.extend(child.path for child in reversed(children) if descends(child.path))


def files_named(root: Path, name: str) -> Iterator[Path]:
    """Yield the path of a file in every cgroup, the root's first, whether there is one or not; as far as one may look."""
    yield root / name
    with suppress(HostError):
        for cgroup in walk(root):
            yield directory(root, cgroup.path) / name


def directory(root: Path, path: str) -> Path:
    """Return the directory of the cgroup at a path such as /batch.slice/a, or of the root at /."""
    return root / path.lstrip("/")


def paths_above(path: str) -> Iterator[str]:
    """Yield the paths of the cgroups that one is in, the nearest first and the root aside."""
    while path := path.rpartition("/")[0]:
        yield path


def children_of(root: Path, path: str) -> list[Cgroup]:
    """Return the cgroups right below one, by name; none if it has gone.

    Raises:
        HostError: the directory cannot be read, and not because it has gone.
    """
    above = path.rstrip("/")
    try:
        with os.scandir(directory(root, path)) as entries:
            found = [
                Cgroup(entry.inode(), f"{above}/{entry.name}")
                for entry in entries
                if entry.is_dir(follow_symlinks=False)
            ]
    except OSError as error:
        if error.errno in UNREACHABLE:
            return []
        raise HostError(f"cannot read cgroup {path}: {error.strerror}") from error
    return sorted(found, key=lambda cgroup: cgroup.path)
