# SPDX-License-Identifier: GPL-2.0-or-later
"""Pins: names in a bpf filesystem that keep kernel objects alive without a process."""

import os
from abc import ABC, abstractmethod
from pathlib import Path

from reclaimd.kernel import libbpf


class Pinnable(ABC):
    """A kernel object that a pin can keep alive."""

    @abstractmethod
    def fileno(self) -> int:
        """Its file descriptor."""

    def pin(self, path: Path) -> None:
        """Pin it.

        Raises:
            OSError: EEXIST; or EPERM: path is not on a bpf filesystem.
        """
        libbpf.bpf_obj_pin(self.fileno(), os.fsencode(path))


def open_pin(path: Path) -> int:
    """A new file descriptor of what is pinned at path; the caller closes it.

    Raises:
        OSError: ENOENT.
    """
    return libbpf.bpf_obj_get(os.fsencode(path))


def unpin(path: Path) -> bool:
    """Remove a pin; whether it was there."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True
