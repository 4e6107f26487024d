# SPDX-License-Identifier: GPL-2.0-or-later
"""One daemon at a time: two would each reclaim what the policies of one of them ask for."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from reclaimd.cgroup.tree import files_named
from reclaimd.errors import ReclaimdError

_FILE = "memory.reclaim"


class Alone:
    """A lock that ends with close(), or with the process; nothing of it is left behind.

    It is on the uppermost memory.reclaim that this process may write to. Nobody else may open that, so nobody else can
    keep it from being locked, and the daemons of different users are not in each other's way.

    Args:
        cgroup_root: where cgroup2 is mounted.

    Raises:
        ReclaimdError: another daemon runs.
    """

    def __init__(self, cgroup_root: Path) -> None:
        self._fd = next(_opened(cgroup_root), None)
        if self._fd is None:
            return
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise ReclaimdError("reclaimd is running already", hint="stop it first") from None

    def close(self) -> None:
        """Let another daemon run; idempotent."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _opened(cgroup_root: Path) -> Iterator[int]:
    for path in files_named(cgroup_root, _FILE):
        with suppress(OSError):
            yield os.open(path, os.O_WRONLY | os.O_CLOEXEC)
