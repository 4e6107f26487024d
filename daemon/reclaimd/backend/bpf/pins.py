# SPDX-License-Identifier: GPL-2.0-or-later
"""What is pinned where: the kernel objects that carry rules out, with and without a daemon.

Below the directory, on a bpf filesystem:

* objects/ID: a loaded BPF object, its maps and the programs that user space runs; ID is made of the object
  file's content and of what is pinned of it. There are two while one takes the other's place;
* objects/new, objects/gone: one that is not complete yet, or no longer;
* links/CGROUP_ID: the attachments.

Whoever changes what is there holds a lock on the directory, which ends with the process.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from reclaimd.errors import HostError, NotPermittedError, ReclaimdError
from reclaimd.kernel.link import Link
from reclaimd.kernel.pin import Pinnable, unpin

BPFFS = Path("/sys/fs/bpf")
#: The directory's name on the bpf filesystem.
NAME = "reclaimd"
_NEW, _GONE = "new", "gone"


def is_at_work(bpffs: Path = BPFFS) -> bool:
    """Tell whether anything is pinned, be it by a daemon that runs; not, for those who may not look."""
    try:
        return any((bpffs / NAME / "objects").iterdir())
    except OSError:
        return False


class Pins:
    """The directory, locked until it is closed.

    Args:
        bpffs: where the bpf filesystem is mounted.

    Raises:
        ReclaimdError: another process holds it.
        HostError: it cannot be made; NotPermittedError: not by this user.
    """

    def __init__(self, bpffs: Path = BPFFS) -> None:
        self._root = bpffs / NAME
        self._objects = self._root / "objects"
        self._links = self._root / "links"
        self._lock_fd = _lock(self._root)
        try:
            for directory in (self._objects, self._links):
                directory.mkdir(exist_ok=True)
            for half in (_NEW, _GONE):
                _remove_tree(self._objects / half)
        except OSError as error:
            os.close(self._lock_fd)
            raise _unusable(self._root, error) from error

    def objects(self) -> list[Path]:
        """The directories of all loaded objects, those loaded first before the others."""
        return sorted(self._objects.iterdir(), key=lambda directory: directory.stat().st_mtime_ns)

    def find_object(self, object_id: str) -> Path | None:
        """The directory of a loaded object; None if it is not loaded."""
        directory = self._objects / object_id
        return directory if directory.exists() else None

    def add_object(self, object_id: str, parts: Mapping[str, Pinnable]) -> Path:
        """Pin an object's parts by their names; all of them or, if the process dies meanwhile, none.

        Raises:
            HostError: the filesystem does not take them.
        """
        new = self._objects / _NEW
        try:
            new.mkdir()
            for name, part in parts.items():
                part.pin(new / name)
            return new.rename(self._objects / object_id)
        except OSError as error:
            raise _unusable(self._root, error) from error

    def remove_objects_but(self, keep: Path) -> None:
        """Unpin all parts of all objects but one."""
        for directory in self.objects():
            if directory != keep:
                self.remove_object(directory)

    def remove_object(self, directory: Path) -> None:
        """Unpin all parts of an object; all of them are gone at once for whoever comes after a crash."""
        _remove_tree(directory.rename(self._objects / _GONE))

    def links(self) -> Iterator[tuple[int, Link]]:
        """All links that are attached, by the ids of their cgroups; those of removed cgroups are unpinned."""
        for pin in sorted(self._links.iterdir()):
            link = Link.open_pin(pin)
            info = link.info()
            if info.map_id is None or info.cgroup_id is None:
                link.close()
                unpin(pin)
            else:
                yield info.cgroup_id, link

    def add_link(self, cgroup_id: int, link: Link) -> None:
        """Pin a link.

        Raises:
            OSError: EEXIST: its cgroup has one.
        """
        link.pin(self._links / str(cgroup_id))

    def remove_link(self, cgroup_id: int) -> None:
        """Unpin a link, which detaches it once its descriptor is closed."""
        unpin(self._links / str(cgroup_id))

    def remove_all(self) -> bool:
        """Unpin everything, whatever it is, and the directory; whether there was anything."""
        there_was = any(files for _, _, files in os.walk(self._root))
        # Links first: what is attached keeps its maps to the end.
        _remove_tree(self._links)
        _remove_tree(self._root)
        return there_was

    def close(self) -> None:
        """Unlock the directory, and remove it if nothing is pinned; idempotent."""
        if self._lock_fd >= 0:
            with suppress(OSError):
                for directory in (self._objects, self._links, self._root):
                    directory.rmdir()
            os.close(self._lock_fd)
            self._lock_fd = -1


def _lock(directory: Path) -> int:
    while True:
        try:
            directory.mkdir(mode=0o700)
        except FileExistsError:
            pass  # not for long, perhaps: who holds it may be about to remove it
        except FileNotFoundError:
            # Where nothing is mounted there may be a directory all the same, of sysfs, which takes none.
            raise HostError(f"{directory.parent}: no bpf filesystem is mounted there", hint=_MOUNT) from None
        except OSError as error:
            raise _unusable(directory, error) from error
        try:
            lock_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # removed in between by who held it
        except OSError as error:
            raise _unusable(directory, error) from error
        try:
            fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock_fd)
            raise ReclaimdError("reclaimd is running already", hint="stop it first") from None
        with suppress(FileNotFoundError):
            if os.fstat(lock_fd).st_ino == directory.stat().st_ino:
                return lock_fd
        os.close(lock_fd)


def _remove_tree(directory: Path) -> None:
    """Remove a directory of pins, if it is there, bottom up."""
    for at, directories, files in os.walk(directory, topdown=False):
        for file in files:
            (Path(at) / file).unlink()
        for below in directories:
            (Path(at) / below).rmdir()
    with suppress(FileNotFoundError):
        directory.rmdir()


_MOUNT = "mount -t bpf bpf /sys/fs/bpf, and let the service write there"


def _unusable(directory: Path, error: OSError) -> ReclaimdError:
    kind = NotPermittedError if isinstance(error, PermissionError) and os.geteuid() else HostError
    return kind(f"cannot keep BPF objects in {directory}: {error.strerror}", hint=_MOUNT)
