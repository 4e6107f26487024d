# SPDX-License-Identifier: GPL-2.0-or-later
"""Which backend carries rules out on this host, and why this one."""

import os
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from reclaimd.backend import bpf, memory_reclaim
from reclaimd.backend.alone import Alone
from reclaimd.backend.base import Ability, Backend, Chosen
from reclaimd.backend.memory_reclaim import probe as reclaim_probe
from reclaimd.config.models import BackendChoice
from reclaimd.errors import HostError, NotPermittedError, ReclaimdError
from reclaimd.kernel.probe import OPS_STRUCT, ProbeReport, probe

_AS_WRITTEN = "the configuration says so"
_MORE = "reclaimd probe says more"


@dataclass(frozen=True, slots=True)
class Decision:
    """The backend that it is to be, and why."""

    backend: BackendChoice
    why: str

    def __str__(self) -> str:
        """Return both in one line."""
        return f"backend {self.backend}: {self.why}"


@dataclass(frozen=True, slots=True)
class Expected:
    """What the daemon would choose on this host, and what that can do."""

    decision: Decision
    abilities: frozenset[Ability]


def decide(bpf_report: ProbeReport, reclaim_obstacle: ReclaimdError | None, *, is_root: bool) -> Decision:
    """Decide for `auto`: bpf where the kernel is made for it, else memory.reclaim.

    Root is not given the lesser of two just because a right was lost on the way: that would go unseen.

    Args:
        bpf_report: what bpf needs.
        reclaim_obstacle: why memory.reclaim cannot run here; None if it can.
        is_root: whether this process is meant to have all rights.

    Raises:
        NotPermittedError, HostError: neither can; says why.
    """
    obstacle = bpf_report.error()
    if obstacle is None:
        return Decision(BackendChoice.BPF, f"this kernel has {OPS_STRUCT}")
    missing = bpf_report.missing[0]
    only_rights = isinstance(obstacle, NotPermittedError)
    if only_rights and is_root:
        text = f"this kernel has {OPS_STRUCT}, but this process may not use it: {missing.detail}"
        raise NotPermittedError(text, hint="give the service what it lacks, or set 'backend: memory.reclaim'")
    if reclaim_obstacle is not None:
        raise _neither(obstacle, reclaim_obstacle, only_rights=only_rights)
    if only_rights:
        why = f"this kernel has {OPS_STRUCT}, but this user may not use it: {missing.detail}"
    elif OPS_STRUCT in missing.name:
        why = f"this kernel has no {OPS_STRUCT}"
    else:
        why = f"bpf cannot run here: {missing.name}: {missing.detail or 'missing'}"
    return Decision(BackendChoice.MEMORY_RECLAIM, why)


def open_chosen(choice: BackendChoice, cgroup_root: Path, bpffs: Path = bpf.BPFFS) -> Chosen:
    """Open the backend that the configuration asks for or, with `auto`, the best that this host can.

    Args:
        choice: what the configuration says.
        cgroup_root: where cgroup2 is mounted.
        bpffs: where the bpf filesystem is mounted.

    Raises:
        ReclaimdError: another daemon runs.
        HostError: this host cannot, or what a daemon with the other backend has left is still at work.
        NotPermittedError: it could, but not for this user.
    """
    decision, report = Decision(choice, _AS_WRITTEN), None
    if choice is BackendChoice.AUTO:
        report = probe()
        decision = decide(report, reclaim_probe.obstacle(cgroup_root), is_root=os.geteuid() == 0)
    is_bpf = decision.backend is BackendChoice.BPF
    if not is_bpf and bpf.is_at_work(bpffs):
        text = "rules of the backend bpf are at work in the kernel, beside which memory.reclaim would do all twice"
        raise HostError(text, hint="stop that daemon, run `reclaimd detach`, or set 'backend: bpf'")
    with ExitStack() as opened:
        alone = opened.enter_context(closing(Alone(cgroup_root)))
        backend: Backend = (
            bpf.open_backend(cgroup_root, bpffs, report)
            if is_bpf
            else memory_reclaim.open_backend(cgroup_root)
        )
        opened.pop_all()
    more = "" if is_bpf or choice is not BackendChoice.AUTO else f" ({_MORE})"
    return Chosen(backend, decision.why + more, alone)


def expected(choice: BackendChoice, cgroup_root: Path) -> Expected:
    """Return what a daemon with all rights would choose, for who looks at a configuration without having them.

    Args:
        choice: what the configuration says.
        cgroup_root: where cgroup2 is mounted.

    Raises:
        HostError: this host cannot; says why.
    """
    report = probe().with_all_rights()
    obstacle = reclaim_probe.obstacle(cgroup_root)
    if isinstance(obstacle, NotPermittedError):
        obstacle = None
    decision = Decision(choice, _AS_WRITTEN)
    if choice is BackendChoice.AUTO:
        decision = decide(report, obstacle, is_root=True)
    if decision.backend is BackendChoice.BPF:
        _raise_if(report.error())
        return Expected(decision, bpf.abilities(report.features))
    _raise_if(obstacle)
    return Expected(decision, reclaim_probe.abilities(cgroup_root))


def _raise_if(obstacle: ReclaimdError | None) -> None:
    if obstacle is not None:
        raise obstacle


def _neither(obstacle: ReclaimdError, reclaim_obstacle: ReclaimdError, *, only_rights: bool) -> ReclaimdError:
    is_rights = only_rights or isinstance(reclaim_obstacle, NotPermittedError)
    kind = NotPermittedError if is_rights else HostError
    return kind(
        f"no backend can run here: {obstacle.message}; memory.reclaim: {reclaim_obstacle.message}", hint=_MORE
    )
