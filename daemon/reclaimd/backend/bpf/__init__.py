# SPDX-License-Identifier: GPL-2.0-or-later
"""The backend for a patched kernel: rules carried out by BPF programs in the memory controller."""

from contextlib import ExitStack, closing
from pathlib import Path

from reclaimd.backend.bpf.attachments import Attachments
from reclaimd.backend.bpf.backend import BpfBackend, abilities
from reclaimd.backend.bpf.pins import BPFFS, Pins, is_at_work
from reclaimd.backend.bpf.programs import Programs
from reclaimd.kernel.probe import ProbeReport, probe

__all__ = ["BPFFS", "BpfBackend", "abilities", "detach", "is_at_work", "open_backend"]


def open_backend(cgroup_root: Path, bpffs: Path = BPFFS, report: ProbeReport | None = None) -> BpfBackend:
    """Load the BPF programs, or take over what the last daemon has left. Nothing is attached before there are rules.

    Args:
        cgroup_root: where cgroup2 is mounted.
        bpffs: where the bpf filesystem is mounted.
        report: what the kernel has, if it was looked at just now.

    Raises:
        ReclaimdError: another daemon runs.
        HostError: this kernel cannot, or the object is not there; says what is missing.
        NotPermittedError: it could, but not for this user.
    """
    report = report or probe()
    obstacle = report.error()
    if obstacle is not None:
        raise obstacle
    with ExitStack() as opened:
        pins = opened.enter_context(closing(Pins(bpffs)))
        programs = opened.enter_context(closing(Programs.open(pins)))
        attachments = opened.enter_context(closing(Attachments(programs.ops_fd, pins, cgroup_root)))
        backend = BpfBackend(programs, attachments, pins, report.features)
        opened.pop_all()
    return backend


def detach(bpffs: Path = BPFFS) -> bool:
    """Remove whatever a daemon has left in the kernel, of this or another version; whether there was anything.

    Raises:
        ReclaimdError: a daemon runs.
        NotPermittedError, HostError: it cannot be looked at.
    """
    with closing(Pins(bpffs)) as pins:
        return pins.remove_all()
