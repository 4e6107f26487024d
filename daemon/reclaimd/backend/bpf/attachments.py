# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the programs are attached: the links, and which cgroups need one.

Programs govern a cgroup and all below it, so only the topmost cgroups with rules get a link.
"""

import errno
import os
import select
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from reclaimd.backend.bpf.pins import Pins
from reclaimd.cgroup.tree import UNREACHABLE
from reclaimd.errors import HostError
from reclaimd.kernel.link import BPF_F_ALLOW_OVERRIDE, BPF_F_CGROUP_FD, create_link
from reclaimd.kernel.maps import map_info

# What says that the cgroup is no more.
_GONE = {errno.ENOENT, errno.ENODEV}
# What says that a link is not updated: the kernel cannot, or the cgroup is no more.
_NOT_UPDATED = {errno.EOPNOTSUPP, errno.ENOLINK}


class Attachments:
    """The links to cgroups, pinned: those of our struct_ops map, and those that are still another's.

    Args:
        ops_fd: our map; borrowed.
        pins: where links are pinned; those that are there already are taken over.
        cgroup_root: where cgroup2 is mounted.
    """

    def __init__(self, ops_fd: int, pins: Pins, cgroup_root: Path) -> None:
        self._ops_fd = ops_fd
        self._pins = pins
        self._root = cgroup_root
        self._links = dict(pins.links())
        ours = map_info(ops_fd).id
        map_ids = {cgroup_id: link.info().map_id for cgroup_id, link in self._links.items()}
        self._foreign = {key: map_id for key, map_id in map_ids.items() if map_id and map_id != ours}

    def __contains__(self, cgroup_id: int) -> bool:
        return cgroup_id in self._links

    def foreign(self) -> dict[int, int]:
        """The cgroups that other maps than ours are attached to, with the ids of these."""
        return dict(self._foreign)

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
        except OSError as error:
            if error.errno in UNREACHABLE:
                return False
            raise HostError(f"{directory}: {error.strerror}") from error
        try:
            if os.fstat(cgroup_fd).st_ino != cgroup_id:
                return False
            link = create_link(self._ops_fd, cgroup_fd, BPF_F_CGROUP_FD | BPF_F_ALLOW_OVERRIDE)
        except OSError as error:
            if error.errno in _GONE:
                return False
            raise HostError(f"{directory}: {_refusal(error)}") from error
        finally:
            os.close(cgroup_fd)
        # Until it is pinned it ends with this process, and nothing has relied on it yet.
        with ExitStack() as undo:
            undo.callback(link.close)
            self._pins.add_link(cgroup_id, link)
            undo.pop_all()
        self._links[cgroup_id] = link
        return True

    def take_over(self, cgroup_id: int, path: str | None) -> None:
        """Put our programs in the place of others, without a moment in between.

        On a kernel that cannot update links there is one.

        Args:
            cgroup_id: which.
            path: where it is; None if it need not be attached to any more.

        Raises:
            HostError: as for attach().
        """
        try:
            self._links[cgroup_id].update(self._ops_fd)
        except OSError as error:
            if error.errno not in _NOT_UPDATED:
                raise HostError(f"{path}: {_refusal(error)}") from error
            self.detach([cgroup_id])
            if path is not None:
                self.attach(cgroup_id, path)
        self._foreign.pop(cgroup_id, None)

    def give_back(self, cgroup_id: int, ops_fd: int) -> None:
        """Undo take_over(), if the cgroup is still there and its link is."""
        with suppress(OSError, KeyError):
            self._links[cgroup_id].update(ops_fd)
            self._foreign[cgroup_id] = map_info(ops_fd).id

    def close(self) -> None:
        """Give all descriptors up; what is attached stays so."""
        for link in self._links.values():
            link.close()
        self._links.clear()

    def detach(self, cgroup_ids: Iterable[int]) -> None:
        """Give links up."""
        for cgroup_id in cgroup_ids:
            self._pins.remove_link(cgroup_id)
            self._links.pop(cgroup_id).close()
            self._foreign.pop(cgroup_id, None)

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
