# SPDX-License-Identifier: GPL-2.0-or-later
"""`probe` shows what both backends need, and which would be taken."""

import os

import pytest

from reclaimd.backend.base import Ability
from reclaimd.backend.choose import Decision
from reclaimd.backend.memory_reclaim import probe as reclaim_probe
from reclaimd.cli import probe
from reclaimd.cli.probe import HostReport
from reclaimd.config.models import BackendChoice
from reclaimd.errors import HostError
from reclaimd.kernel.probe import Finding, ProbeReport

OLD = HostError("no cgroup has memory.reclaim", hint="boot Linux 5.19 or later")
PATCHED = ProbeReport((Finding("struct memcg_bpf_ops", True, True, "", "patch it"),))  # noqa: FBT003  as the probe has it
STOCK = ProbeReport((Finding("struct memcg_bpf_ops", False, True, "", "patch it"),))  # noqa: FBT003  likewise
SOME = frozenset({Ability.PSI})


def on_host(
    patch: pytest.MonkeyPatch, bpf: ProbeReport, obstacle: HostError | None, *, has_cgroup2: bool = True
) -> HostReport:
    """Look at a host that has this."""

    def find_cgroup_root() -> str:
        if not has_cgroup2:
            raise HostError("no cgroup2 file system is mounted")
        return "/sys/fs/cgroup"

    patch.setattr(probe, "probe", lambda: bpf)
    patch.setattr(probe, "find_cgroup_root", find_cgroup_root)
    patch.setattr(reclaim_probe, "obstacle", lambda _: obstacle)
    patch.setattr(reclaim_probe, "abilities", lambda _: SOME)
    return HostReport.of_this_host()


def test_a_patched_host_can_run_with_bpf(monkeypatch: pytest.MonkeyPatch) -> None:
    report = on_host(monkeypatch, PATCHED, None)
    assert report.exit_status == os.EX_OK
    assert list(report.text_lines())[-1] == (
        "reclaimd can run here with the backend bpf: this kernel has memcg_bpf_ops"
    )


def test_a_stock_host_can_run_with_memory_reclaim_and_is_told_what_bpf_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report = on_host(monkeypatch, STOCK, None)
    assert report.exit_status == os.EX_OK
    assert list(report.text_lines()) == [
        "backend bpf:",
        "  MISSING  struct memcg_bpf_ops",
        "  to do: patch it",
        "backend memory.reclaim:",
        "  present  memory.reclaim",
        "  absent   swappiness",
        "  absent   swappiness of anon-only",
        "  present  PSI",
        "",
        "reclaimd can run here with the backend memory.reclaim: this kernel has no memcg_bpf_ops",
    ]


def test_an_old_host_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    report = on_host(monkeypatch, STOCK, OLD)
    assert report.exit_status == os.EX_UNAVAILABLE
    lines = list(report.text_lines())
    assert "  MISSING  no cgroup has memory.reclaim; boot Linux 5.19 or later" in lines
    assert lines[-1].startswith("no backend can run here: ")


def test_without_cgroup2_there_is_no_memory_reclaim(monkeypatch: pytest.MonkeyPatch) -> None:
    report = on_host(monkeypatch, STOCK, None, has_cgroup2=False)
    assert report.obstacle
    assert report.exit_status == os.EX_UNAVAILABLE


def test_programs_get_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told = on_host(monkeypatch, STOCK, None).as_dict()
    assert (told["can_run"], told["backend"]) == (True, "memory.reclaim")
    assert told["memory.reclaim"] == {"can_run": True, "obstacle": None, "abilities": ["psi"]}
    assert on_host(monkeypatch, STOCK, OLD).as_dict()["backend"] is None


def test_what_is_taken_is_a_decision(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = on_host(monkeypatch, PATCHED, OLD).chosen
    assert isinstance(chosen, Decision)
    assert chosen.backend is BackendChoice.BPF
