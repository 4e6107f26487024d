# SPDX-License-Identifier: GPL-2.0-or-later
"""The backend for any kernel since Linux 5.19: rules carried out by the daemon, through memory.reclaim."""

from pathlib import Path

from reclaimd.backend.memory_reclaim import probe
from reclaimd.backend.memory_reclaim.backend import MemoryReclaimBackend
from reclaimd.backend.memory_reclaim.deadline import take_signal

__all__ = ["MemoryReclaimBackend", "open_backend"]


def open_backend(cgroup_root: Path) -> MemoryReclaimBackend:
    """Open the backend; nothing is done to any cgroup before there are rules.

    Args:
        cgroup_root: where cgroup2 is mounted.

    Raises:
        HostError: this kernel cannot, or a limit is reached; says what is missing.
        NotPermittedError: it could, but not for this user.
    """
    obstacle = probe.obstacle(cgroup_root)
    if obstacle is not None:
        raise obstacle
    take_signal()
    found = probe.abilities(cgroup_root)
    return MemoryReclaimBackend(str(cgroup_root), probe.features(found), found)
