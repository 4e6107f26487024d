# SPDX-License-Identifier: GPL-2.0-or-later
"""The backend for a patched kernel: rules carried out by BPF programs in the memory controller."""

from pathlib import Path

from reclaimd.backend.bpf.attachments import Attachments
from reclaimd.backend.bpf.backend import BpfBackend
from reclaimd.backend.bpf.programs import Programs
from reclaimd.kernel.probe import probe

__all__ = ["BpfBackend", "open_backend"]


def open_backend(cgroup_root: Path) -> BpfBackend:
    """Load the BPF programs. Nothing is attached before there are rules.

    Args:
        cgroup_root: where cgroup2 is mounted.

    Raises:
        HostError: this kernel cannot, or the object is not there; says what is missing.
        NotPermittedError: it could, but not for this user.
    """
    report = probe()
    obstacle = report.error()
    if obstacle is not None:
        raise obstacle
    programs = Programs.load()
    return BpfBackend(programs, Attachments(programs.ops, cgroup_root), report.features)
