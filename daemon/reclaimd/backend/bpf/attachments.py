# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the programs are attached: the links, and which cgroups need one.

Programs govern a cgroup and all below it, so only the topmost cgroups with rules get a link.
"""

import errno
import os
import select
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from reclaimd.errors import HostError
from reclaimd.kernel.link import BPF_F_ALLOW_OVERRIDE, Link, attach_struct_ops
from reclaimd.kernel.maps import BpfMap

# What says that the cgroup is no more.
_GONE = {errno.ENOENT, errno.ENODEV}


class Attachments:
    """The links of one struct_ops map to cgroups.

    Args:
        ops: the map, loaded.
        cgroup_root: where cgroup2 is mounted.
    """

    def __init__(self, ops: BpfMap, cgroup_root: Path) -> None:
        self._ops = ops
        self._root = cgroup_root
        self._links: dict[int, Link] = {}

    def __contains__(self, cgroup_id: int) -> bool:
        return cgroup_id in self._links

    def filenos(self) -> list[int]:
        """The links' descriptors; one polls POLLHUP once its cgroup is gone."""
        return [link.fileno() for link in self._links.values()]

    def attach(self, cgroup_id: int, path: str) -> bool:
        """Attach to a cgroup; whether it was still there.

        With BPF_F_ALLOW_OVERRIDE, as is needed to attach below before an attachment above is given up:
        no cgroup is ever without the programs in between.

        Args:
            cgroup_id: which; what has taken its path since is left alone.
            path: below the root, such as "/batch.slice".

        Raises:
            HostError: something else is attached there, or the cgroup has no memory controller.
        """
        directory = self._root / path.lstrip("/")
        try:
            cgroup_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            if os.fstat(cgroup_fd).st_ino != cgroup_id:
                return False
            self._links[cgroup_id] = attach_struct_ops(self._ops, cgroup_fd, BPF_F_ALLOW_OVERRIDE)
        except OSError as error:
            if error.errno in _GONE:
                return False
            raise HostError(f"{directory}: {_refusal(error)}") from error
        finally:
            os.close(cgroup_fd)
        return True

    def detach(self, cgroup_ids: Iterable[int]) -> None:
        """Give links up."""
        for cgroup_id in cgroup_ids:
            self._links.pop(cgroup_id).close()

    def detach_all_but(self, cgroup_ids: Iterable[int]) -> None:
        """Give all links up but these."""
        self.detach(self._links.keys() - set(cgroup_ids))

    def take_gone(self) -> list[int]:
        """The cgroups whose removal has ended their links since the last call."""
        poller = select.poll()
        by_fd = {link.fileno(): cgroup_id for cgroup_id, link in self._links.items()}
        for fd in by_fd:
            poller.register(fd, 0)
        gone = [by_fd[fd] for fd, _ in poller.poll(0)]
        self.detach(gone)
        return gone


def topmost(paths: Mapping[int, str]) -> set[int]:
    """Which of these cgroups have none of the others above them.

    Args:
        paths: cgroup id -> path below the root.
    """
    all_paths = set(paths.values())
    return {cgroup_id for cgroup_id, path in paths.items() if all_paths.isdisjoint(_above(path))}


def _above(path: str) -> Iterator[str]:
    """The paths of a cgroup's ancestors, the root's "/" included."""
    while path != "/":
        path = path.rpartition("/")[0] or "/"
        yield path


def _refusal(error: OSError) -> str:
    if error.errno == errno.EBUSY:
        return "other BPF programs are attached to this cgroup, or above or below it; detach them first"
    if error.errno == errno.EOPNOTSUPP:
        return (
            "the memory controller is not enabled here; write +memory to the parent's cgroup.subtree_control"
        )
    return f"cannot attach: {error.strerror}"
