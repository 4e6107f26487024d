# SPDX-License-Identifier: GPL-2.0-or-later
"""What this kernel offers, and what is missing for reclaimd's BPF side to run on it.

Features are looked for where they show (BTF, mounts, files), never concluded from a version.
"""

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from reclaimd.errors import HostError, NotPermittedError, ReclaimdError
from reclaimd.kernel import libbpf
from reclaimd.kernel.btf import Btf

OPS_STRUCT = "memcg_bpf_ops"

#: The hooks of struct memcg_bpf_ops, in order, and whether reclaimd cannot do without.
HOOKS = {
    "handle_cgroup_online": False,
    "handle_cgroup_offline": False,
    "below_low": False,
    "below_min": False,
    "memcg_charged": True,
    "memcg_uncharged": False,
    "refuse_charge": False,
}

#: The two shapes of the reclaim kfunc; either will do.
RECLAIM_KFUNCS = ("bpf_try_to_free_mem_cgroup_pages", "bpf_proactive_reclaim")

#: What else the BPF object calls, each with its names in different kernels.
OTHER_KFUNCS = {
    "kfunc bpf_wq_init": ("bpf_wq_init",),
    "kfunc bpf_wq_set_callback": ("bpf_wq_set_callback", "bpf_wq_set_callback_impl"),
    "kfunc bpf_wq_start": ("bpf_wq_start",),
    "kfunc bpf_get_mem_cgroup": ("bpf_get_mem_cgroup",),
    "kfunc bpf_put_mem_cgroup": ("bpf_put_mem_cgroup",),
    "kfunc bpf_mem_cgroup_usage": ("bpf_mem_cgroup_usage",),
    "kfunc bpf_cgroup_from_id": ("bpf_cgroup_from_id",),
    "kfunc bpf_cgroup_release": ("bpf_cgroup_release",),
}

#: Capability bits (uapi/linux/capability.h) that loading and attaching take.
CAPABILITIES = {"CAP_PERFMON": 38, "CAP_BPF": 39}

_PATCHED = "boot a kernel with reclaimd's patches (make kernel-deb builds one)"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked for.

    Attributes:
        name: what.
        present: whether it is there.
        required: whether reclaimd cannot run without it.
        detail: what was found, or why not; may be empty.
        remedy: what to do if it is missing.
    """

    name: str
    present: bool
    required: bool
    detail: str
    remedy: str


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """Everything that was looked for, in the order it is best read."""

    findings: tuple[Finding, ...]

    @property
    def missing(self) -> tuple[Finding, ...]:
        """What is required and not there."""
        return tuple(finding for finding in self.findings if finding.required and not finding.present)

    @property
    def can_run(self) -> bool:
        """Whether nothing that is required is missing."""
        return not self.missing

    @property
    def features(self) -> dict[str, bool]:
        """What was looked for, and whether it is there."""
        return {finding.name: finding.present for finding in self.findings}

    def with_all_rights(self) -> Self:
        """Return what would be found by who may do everything."""
        findings = (
            replace(finding, present=True, detail="") if finding.name == _PRIVILEGES else finding
            for finding in self.findings
        )
        return replace(self, findings=tuple(findings))

    def error(self) -> ReclaimdError | None:
        """The first thing that is missing, as an error: NotPermittedError if only rights are, else HostError."""
        for finding in self.missing:
            kind = NotPermittedError if finding.name == _PRIVILEGES else HostError
            what = f"{finding.name}: {finding.detail or 'missing'}"
            return kind(f"bpf cannot run here: {what}", hint=finding.remedy)
        return None

    @property
    def remedies(self) -> tuple[str, ...]:
        """What to do about what is missing."""
        return tuple(dict.fromkeys(finding.remedy for finding in self.missing if finding.remedy))

    def text_lines(self) -> Iterator[str]:
        """Yield a line for each finding, for people."""
        width = max(len(finding.name) for finding in self.findings)
        for finding in self.findings:
            yield f"{_mark(finding):8} {finding.name:{width}}  {finding.detail}".rstrip()

    def as_dict(self) -> dict[str, Any]:
        """For programs: {"can_run": bool, "findings": [{"name", "present", "required", "detail", "remedy"}]}."""
        return {"can_run": self.can_run, "findings": [asdict(finding) for finding in self.findings]}


#: The kernel's own function that updates a link to struct memcg_bpf_ops.
LINK_UPDATE = "memcg_bpf_update"

_PRIVILEGES = "privileges"
_NO_UPDATE = "an upgrade of the BPF programs leaves a moment without rules"


def _mark(finding: Finding) -> str:
    if finding.present:
        return "present"
    return "MISSING" if finding.required else "absent"


def probe(root: Path = Path("/")) -> ProbeReport:
    """Look for everything reclaimd's BPF side builds on.

    Args:
        root: where /proc and /sys are found.
    """
    return ProbeReport(tuple(_findings(root)))


def _findings(root: Path) -> Iterator[Finding]:
    yield _kernel(root)
    version = _libbpf_version()
    yield Finding(
        "libbpf",
        version is not None,
        required=True,
        detail=version or "",
        remedy="install the package libbpf1",
    )
    btf, why_not = _kernel_btf(root) if version else (None, "not looked for without libbpf")
    remedy = "use a kernel with CONFIG_DEBUG_INFO_BTF=y"
    yield Finding("BTF", btf is not None, required=True, detail=why_not, remedy=remedy)
    yield from _hooks(btf)
    yield from _kfuncs(btf)
    yield _memory_controller(root)
    yield _psi(root)
    yield _privileges(root)


def _kernel(root: Path) -> Finding:
    release = _text(root / "proc/sys/kernel/osrelease") or "unknown"
    return Finding("kernel", present=True, required=False, detail=release, remedy="")


def _libbpf_version() -> str | None:
    try:
        return libbpf.libbpf_version_string().decode()
    except HostError:
        return None


def _kernel_btf(root: Path) -> tuple[Btf | None, str]:
    path = root / "sys/kernel/btf/vmlinux"
    try:
        return Btf.parse(path), ""
    except OSError as error:
        return None, f"/{path.relative_to(root)}: {os.strerror(error.errno or 0)}"


def _hooks(btf: Btf | None) -> Iterator[Finding]:
    ops = btf.struct(OPS_STRUCT) if btf else None
    # The kernel makes this type for those struct_ops that are compiled in, and only for them.
    if btf is None or btf.struct(f"bpf_struct_ops_{OPS_STRUCT}") is None:
        ops = None
    yield _in_btf(btf, f"struct {OPS_STRUCT}", ops is not None, required=True)
    for name, required in HOOKS.items():
        present = ops is not None and ops.member(name) is not None
        yield _in_btf(btf, f"hook {name}", present, required=required)


def _kfuncs(btf: Btf | None) -> Iterator[Finding]:
    for what, names in {"reclaim kfunc": RECLAIM_KFUNCS, **OTHER_KFUNCS}.items():
        found = next((name for name in names if btf is not None and btf.has_function(name)), None)
        detail = found if found and found not in what else ""
        yield _in_btf(btf, what, found is not None, required=True, detail=detail)
    # Not a kfunc: it shows that struct memcg_bpf_ops has it.
    update = btf is not None and btf.has_function(LINK_UPDATE)
    yield _in_btf(btf, "link update", update, required=False, detail="" if update else _NO_UPDATE)


def _in_btf(btf: Btf | None, name: str, present: bool, *, required: bool, detail: str = "") -> Finding:  # noqa: FBT001  a measurement, not a switch
    if btf is None:
        return Finding(name, present=False, required=required, detail="unknown without BTF", remedy="")
    return Finding(name, present, required, detail, _PATCHED)


def _memory_controller(root: Path) -> Finding:
    name = "cgroup2 memory controller"
    mounts = [fields[4] for fields in _mountinfo(root) if fields[fields.index("-") + 1] == "cgroup2"]
    for mount in mounts:
        controllers = _text(root / mount.lstrip("/") / "cgroup.controllers") or ""
        if "memory" in controllers.split():
            return Finding(name, present=True, required=True, detail=mount, remedy="")
    detail = f"{mounts[0]} has no memory controller" if mounts else "no cgroup2 file system is mounted"
    remedy = "boot with systemd.unified_cgroup_hierarchy=1, and without cgroup_disable=memory"
    return Finding(name, present=False, required=True, detail=detail, remedy=remedy)


def _mountinfo(root: Path) -> Iterator[list[str]]:
    for line in (_text(root / "proc/self/mountinfo") or "").splitlines():
        yield line.split()


def _psi(root: Path) -> Finding:
    present = bool(_text(root / "proc/pressure/memory"))
    return Finding(
        "PSI", present, required=False, detail="", remedy="boot with psi=1, on a kernel with CONFIG_PSI=y"
    )


def _privileges(root: Path) -> Finding:
    lacking = [name for name, bit in CAPABILITIES.items() if not _effective_capabilities(root) >> bit & 1]
    detail = f"no {', '.join(lacking)}" if lacking else ""
    return Finding(_PRIVILEGES, not lacking, required=True, detail=detail, remedy="run as root")


def _effective_capabilities(root: Path) -> int:
    for line in (_text(root / "proc/self/status") or "").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16)
    return 0


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
