# SPDX-License-Identifier: GPL-2.0-or-later
"""Which backend is chosen, and the one line about it."""

import os
from pathlib import Path

import pytest

from reclaimd.backend import bpf, choose, memory_reclaim
from reclaimd.backend.base import Ability
from reclaimd.backend.choose import decide, expected, open_chosen
from reclaimd.backend.memory_reclaim import probe as reclaim_probe
from reclaimd.config.models import BackendChoice
from reclaimd.errors import HostError, NotPermittedError, ReclaimdError
from reclaimd.kernel.probe import Finding, ProbeReport
from tests.unit.service.memory_backend import MemoryBackend

NO_RECLAIM = HostError("no cgroup has memory.reclaim")
NO_SUBTREE = NotPermittedError("no memory.reclaim may be written")
AUTO, BPF, RECLAIM = BackendChoice


def report(*missing: str, detail: str = "", lacking: str = "") -> ProbeReport:
    """What bpf needs, of which some is missing, and rights if some are lacking."""
    names = ("libbpf", "struct memcg_bpf_ops", "reclaim kfunc", "PSI")
    findings = [Finding(name, name not in missing, name != "PSI", detail, "patch it") for name in names]
    rights = Finding("privileges", not lacking, required=True, detail=lacking, remedy="run as root")
    return ProbeReport((*findings, rights))


STOCK = report("struct memcg_bpf_ops", "reclaim kfunc")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A patched host of which nothing is real; both backends open."""
    on_host(monkeypatch, report(), None)
    monkeypatch.setattr(bpf, "open_backend", lambda *_: MemoryBackend())
    monkeypatch.setattr(memory_reclaim, "open_backend", lambda _: MemoryBackend())
    return monkeypatch


def on_host(patch: pytest.MonkeyPatch, found: ProbeReport, obstacle: ReclaimdError | None) -> None:
    """Have the probes find this."""
    patch.setattr(choose, "probe", lambda: found)
    patch.setattr(reclaim_probe, "obstacle", lambda _: obstacle)
    patch.setattr(reclaim_probe, "abilities", lambda _: frozenset({Ability.PSI}))


@pytest.mark.parametrize("obstacle", [None, NO_RECLAIM])
def test_a_patched_kernel_is_made_use_of(obstacle: ReclaimdError | None) -> None:
    decision = decide(report(), obstacle, is_root=True)
    assert str(decision) == "backend bpf: this kernel has memcg_bpf_ops"


@pytest.mark.parametrize("is_root", [True, False])
def test_a_stock_kernel_is_what_memory_reclaim_is_for(*, is_root: bool) -> None:
    decision = decide(STOCK, None, is_root=is_root)
    assert str(decision) == "backend memory.reclaim: this kernel has no memcg_bpf_ops"


def test_what_else_keeps_bpf_from_running_is_named() -> None:
    decision = decide(report("libbpf", "struct memcg_bpf_ops"), None, is_root=True)
    assert decision.backend is RECLAIM
    assert "libbpf: missing" in decision.why


def test_root_without_its_rights_is_refused_and_told_which() -> None:
    with pytest.raises(NotPermittedError, match="may not use it: no CAP_BPF"):
        decide(report(lacking="no CAP_BPF"), None, is_root=True)


def test_other_users_get_by_on_a_patched_kernel_with_what_they_may() -> None:
    decision = decide(report(lacking="no CAP_BPF"), None, is_root=False)
    assert decision.backend is RECLAIM
    assert "this user may not use it: no CAP_BPF" in decision.why


@pytest.mark.parametrize(
    ("found", "obstacle", "kind"),
    [
        (STOCK, NO_RECLAIM, HostError),
        (STOCK, NO_SUBTREE, NotPermittedError),
        (report(lacking="no CAP_BPF"), NO_RECLAIM, NotPermittedError),
    ],
)
def test_where_neither_can_run_both_reasons_are_told(
    found: ProbeReport, obstacle: ReclaimdError, kind: type[ReclaimdError]
) -> None:
    with pytest.raises(kind) as refused:
        decide(found, obstacle, is_root=False)
    assert obstacle.message in str(refused.value)
    assert found.missing[0].name in str(refused.value)


def test_what_is_written_is_not_questioned(host: pytest.MonkeyPatch, tmp_path: Path) -> None:
    host.setattr(choose, "decide", None)
    assert open_chosen(RECLAIM, tmp_path, tmp_path).why == "the configuration says so"
    assert open_chosen(BPF, tmp_path, tmp_path).why == "the configuration says so"


def test_auto_opens_what_it_decides_for(host: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stock = MemoryBackend()
    host.setattr(memory_reclaim, "open_backend", lambda _: stock)
    assert open_chosen(AUTO, tmp_path, tmp_path).backend is not stock
    on_host(host, STOCK, None)
    chosen = open_chosen(AUTO, tmp_path, tmp_path)
    assert chosen.backend is stock
    assert chosen.why == "this kernel has no memcg_bpf_ops (reclaimd probe says more)"


def test_auto_is_as_strict_as_the_user_is_mighty(host: pytest.MonkeyPatch, tmp_path: Path) -> None:
    on_host(host, report(lacking="no CAP_PERFMON"), None)
    host.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(NotPermittedError):
        open_chosen(AUTO, tmp_path, tmp_path)
    host.setattr(os, "geteuid", lambda: 1000)
    assert "no CAP_PERFMON" in open_chosen(AUTO, tmp_path, tmp_path).why


@pytest.mark.usefixtures("host")
def test_rules_of_bpf_that_are_at_work_are_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "reclaimd/objects/0123").mkdir(parents=True)
    with pytest.raises(HostError, match="reclaimd detach"):
        open_chosen(RECLAIM, tmp_path, tmp_path)
    (tmp_path / "reclaimd/objects/0123").rmdir()
    open_chosen(RECLAIM, tmp_path, tmp_path)


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("choice", BackendChoice)
def test_one_daemon_runs_at_a_time(tmp_path: Path, choice: BackendChoice) -> None:
    (tmp_path / "memory.reclaim").write_text("")
    first = open_chosen(choice, tmp_path, tmp_path)
    with pytest.raises(ReclaimdError, match="running already"):
        open_chosen(RECLAIM, tmp_path, tmp_path)
    first.close()
    open_chosen(BPF, tmp_path, tmp_path).close()


def test_a_backend_that_does_not_open_is_not_in_the_way(host: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "memory.reclaim").write_text("")

    def fail(*_: object) -> MemoryBackend:
        raise HostError("no object")

    host.setattr(bpf, "open_backend", fail)
    with pytest.raises(HostError, match="no object"):
        open_chosen(AUTO, tmp_path, tmp_path)
    open_chosen(RECLAIM, tmp_path, tmp_path).close()


def test_rights_are_no_matter_for_what_is_expected(host: pytest.MonkeyPatch, tmp_path: Path) -> None:
    on_host(host, report(lacking="no CAP_BPF"), NO_SUBTREE)
    found = expected(AUTO, tmp_path)
    assert (found.decision.backend, found.abilities) == (BPF, frozenset(Ability))
    found = expected(RECLAIM, tmp_path)
    assert (found.decision.backend, found.abilities) == (RECLAIM, frozenset({Ability.PSI}))


@pytest.mark.parametrize("choice", BackendChoice)
def test_a_host_that_cannot_says_so_where_it_is_expected_to(
    host: pytest.MonkeyPatch, tmp_path: Path, choice: BackendChoice
) -> None:
    on_host(host, STOCK, NO_RECLAIM)
    with pytest.raises(HostError):
        expected(choice, tmp_path)
