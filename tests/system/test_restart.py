# SPDX-License-Identifier: GPL-2.0-or-later
"""A daemon that is killed leaves its rules at work, and the next one goes on from there without a gap."""

import errno
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from reclaimd.backend.bpf import BpfBackend, detach, open_backend
from reclaimd.backend.bpf.pins import BPFFS, NAME
from reclaimd.backend.bpf.programs import object_path
from reclaimd.errors import HostError
from reclaimd.kernel.ids import link_ids, map_ids, program_ids
from reclaimd.kernel.link import Link
from reclaimd.policy.rule import Rule
from tests.kernel.cgroups import ROOT, Cgroup, Charger, until
from tests.system.conftest import StartDaemon
from tests.system.crash import killed_at
from tests.system.daemon import run_reclaimd
from tests.system.load import limited, writing
from tests.system.rules import MIB_PAGES, between, rule

pytestmark = pytest.mark.bpf_only("rules that outlive the daemon")

PINS = BPFFS / NAME
KILLS = 50

#: As in the demo: reclaim from 24 to 22 of 32 MiB, delays from 29 MiB on.
BATCH = """\
policies:
  - name: batch
    match: /batch/*
    reclaim: {start: 24MiB, stop: 22MiB}
    back_pressure: {start: 29MiB, max_delay: 100ms}
"""


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """What a test leaves at work goes in the end."""
    yield
    detach()


@pytest.fixture
def leaf(batch: Cgroup) -> Cgroup:
    """The cgroup /batch/a of 32 MiB."""
    return limited(batch, "a", 32)


@pytest.fixture
def other_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A BPF object that does the same and is another one; what is started from here on has it."""
    other = tmp_path / "other.bpf.o"
    other.write_bytes(object_path().read_bytes() + b"another build")
    monkeypatch.setenv("RECLAIMD_BPF_OBJECT", str(other))
    return other


def _rule(cgroup: Cgroup, start_mib: int = 8, stop_mib: int = 6) -> Rule:
    return rule(cgroup, between(start_mib, stop_mib))


def _charge(cgroup: Cgroup, disk: Path, mib: int = 16) -> None:
    with Charger(cgroup) as charger:
        charger.file(disk / "file", mib * MIB_PAGES)
    (disk / "file").unlink()


def _ids() -> tuple[int, ...]:
    return len(link_ids()), len(map_ids()), len(program_ids())


def _wait_for_ids(ids: tuple[int, ...]) -> None:
    for _ in until():
        if _ids() == ids:
            return


def _pins() -> set[str]:
    return {str(path.relative_to(PINS)) for path in PINS.rglob("*") if path.is_file()}


def _apply(*rules: Rule) -> None:
    """Open the backend, put rules in force, and leave them there."""
    with closing(open_backend(ROOT)) as backend:
        backend.apply(rules)


def _apply_and_detach(*rules: Rule) -> None:
    backend = open_backend(ROOT)
    backend.apply(rules)
    backend.detach()


@pytest.fixture
def at_work(leaf: Cgroup) -> Cgroup:
    """A cgroup whose rule is in force, and nobody runs who has made it."""
    _apply(_rule(leaf))
    return leaf


def test_rules_stay_at_work_when_nobody_runs(at_work: Cgroup, disk: Path) -> None:
    _charge(at_work, disk)
    for _ in until():
        if at_work.usage_pages < 8 * MIB_PAGES:
            break
    with closing(open_backend(ROOT)) as backend:
        assert backend.stats()[at_work.cgroup_id].triggers > 0


def test_a_kill_under_load_is_no_gap_and_counters_go_on(leaf: Cgroup, disk: Path, start: StartDaemon) -> None:
    daemon = start(BATCH)
    with writing(leaf, disk / "data", 512):
        for _ in range(3):
            daemon.wait_for("episode")
            passes = daemon.scrape().value("reclaimd_passes_total", cgroup="/batch/a")
            assert passes > 0
            assert daemon.stop(signal.SIGKILL) == -signal.SIGKILL
            daemon = start(BATCH)
            metrics = daemon.scrape()
            assert metrics.value("reclaimd_passes_total", cgroup="/batch/a") >= passes
            assert metrics.value("reclaimd_ungoverned_charges_total") == 0
        daemon.wait_for("episode")
    assert leaf.keyed("memory.events")["max"] == 0


def test_nothing_piles_up_over_many_kills(at_work: Cgroup, disk: Path) -> None:
    ids, pins = _ids(), _pins()
    with closing(open_backend(ROOT)) as backend:
        triggers = backend.stats()[at_work.cgroup_id].triggers
    for number in range(KILLS):
        # Killed at ever other moments: after a few steps, and at the end.
        killed_at(number % 10, partial(_apply, _rule(at_work, 9)))
        killed_at(1 << 30, partial(_apply, _rule(at_work, 8 + number % 2)))
    _charge(at_work, disk)
    with closing(open_backend(ROOT)) as backend:
        backend.apply([_rule(at_work)])
        assert backend.stats()[at_work.cgroup_id].triggers > triggers
    assert _pins() == pins
    _wait_for_ids(ids)


def test_the_next_daemon_replaces_what_differs(at_work: Cgroup, batch: Cgroup) -> None:
    other = limited(batch, "b", 32)
    links = link_ids()
    with closing(open_backend(ROOT)) as backend:
        backend.apply([_rule(at_work, 10, 9), _rule(other)])
        assert set(backend.stats()) == {at_work.cgroup_id, other.cgroup_id}
    assert len(link_ids() - links) == 1, "the link that was there is used again"
    _apply(_rule(other))
    assert {pin for pin in _pins() if pin.startswith("links/")} == {f"links/{other.cgroup_id}"}


def test_a_cgroup_that_has_gone_meanwhile_leaves_nothing(at_work: Cgroup, batch: Cgroup) -> None:
    other = limited(batch, "b", 32)
    _apply(_rule(at_work), _rule(other))
    gone = at_work.cgroup_id
    at_work.remove()
    with closing(open_backend(ROOT)) as backend:
        backend.apply([_rule(other)])
        assert set(backend.stats()) == {other.cgroup_id}
        assert not any(event.cgroup_id == gone for event in backend.events())
    assert f"links/{gone}" not in _pins()


def test_other_programs_take_the_place_of_the_old_ones_under_load(
    leaf: Cgroup, disk: Path, start: StartDaemon, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ours = object_path().read_bytes()
    daemon = start(BATCH)
    ids = _ids()
    with writing(leaf, disk / "data", 512):
        for number in range(1, 3):
            daemon.wait_for("episode")
            passes = daemon.scrape().value("reclaimd_passes_total", cgroup="/batch/a")
            assert passes > 0
            daemon.stop(signal.SIGKILL)
            (tmp_path / "object").write_bytes(ours + b"x" * number)
            monkeypatch.setenv("RECLAIMD_BPF_OBJECT", str(tmp_path / "object"))
            daemon = start(BATCH)
            metrics = daemon.scrape()
            assert metrics.value("reclaimd_passes_total", cgroup="/batch/a") >= passes
            assert metrics.value("reclaimd_ungoverned_charges_total") == 0
            assert len(list((PINS / "objects").iterdir())) == 1
            _wait_for_ids(ids)
        daemon.wait_for("episode")
    assert leaf.keyed("memory.events")["max"] == 0


def test_counters_are_carried_over_to_other_programs(
    at_work: Cgroup, disk: Path, request: pytest.FixtureRequest
) -> None:
    _charge(at_work, disk)
    with closing(open_backend(ROOT)) as backend:
        counted = backend.stats()[at_work.cgroup_id]
    request.getfixturevalue("other_object")
    with closing(open_backend(ROOT)) as backend:
        backend.apply([_rule(at_work)])
        carried = backend.stats()[at_work.cgroup_id]
        assert counted.triggers > 0
        assert carried.triggers >= counted.triggers
        assert carried.pages_reclaimed >= counted.pages_reclaimed
        assert sum(carried.started_for.values()) == carried.triggers
    _charge(at_work, disk)
    with closing(open_backend(ROOT)) as backend:
        assert backend.stats()[at_work.cgroup_id].triggers > carried.triggers


@pytest.mark.usefixtures("at_work")
def test_a_rule_that_other_programs_do_not_take_over_goes(
    batch: Cgroup, request: pytest.FixtureRequest
) -> None:
    other = limited(batch, "b", 32)
    request.getfixturevalue("other_object")
    with closing(open_backend(ROOT)) as backend:
        backend.apply([_rule(other)])
        assert backend.ungoverned_charges() == 0
    assert {pin for pin in _pins() if pin.startswith("links/")} == {f"links/{other.cgroup_id}"}


def test_a_kernel_that_cannot_update_links_gets_new_ones(
    at_work: Cgroup, disk: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    def refuse(_link: Link, _fd: int) -> None:
        raise OSError(errno.EOPNOTSUPP, "not this kernel")

    request.getfixturevalue("other_object")
    monkeypatch.setattr(Link, "update", refuse)
    with closing(open_backend(ROOT)) as backend:
        backend.apply([_rule(at_work)])
        _charge(at_work, disk)
        assert backend.stats()[at_work.cgroup_id].triggers > 0


@pytest.mark.usefixtures("at_work")
def test_other_programs_that_are_not_put_to_work_leave_the_old_ones_there(
    request: pytest.FixtureRequest,
) -> None:
    pins = _pins()
    request.getfixturevalue("other_object")
    open_backend(ROOT).close()
    assert _pins() == pins


def test_other_programs_that_are_refused_leave_the_old_ones_at_work(
    at_work: Cgroup,
    batch: Cgroup,
    disk: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    pins, update, other = _pins(), Link.update, limited(batch, "b", 32)
    _apply(_rule(at_work), _rule(other))
    both = _pins()
    asked: list[int] = []

    def refuse_the_second(link: Link, ops_fd: int) -> None:
        asked.append(ops_fd)
        if len(asked) == 2:
            raise OSError(errno.EBUSY, "not now")
        update(link, ops_fd)

    request.getfixturevalue("other_object")
    with monkeypatch.context() as refusing, closing(open_backend(ROOT)) as backend:
        refusing.setattr(Link, "update", refuse_the_second)
        with pytest.raises(HostError, match="other BPF programs"):
            backend.apply([_rule(at_work), _rule(other)])
    assert _pins() == both > pins
    monkeypatch.delenv("RECLAIMD_BPF_OBJECT")
    _charge(at_work, disk)
    with closing(open_backend(ROOT)) as backend:
        assert backend.stats()[at_work.cgroup_id].triggers > 0


@pytest.mark.parametrize("upgrade", [False, True], ids=["the same programs", "other programs"])
def test_a_crash_between_any_two_steps_is_recovered_from(
    at_work: Cgroup,
    batch: Cgroup,
    disk: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    *,
    upgrade: bool,
) -> None:
    other = limited(batch, "b", 32)
    _charge(at_work, disk)
    with closing(open_backend(ROOT)) as backend:
        triggers = backend.stats()[at_work.cgroup_id].triggers
    ours = object_path()
    theirs = request.getfixturevalue("other_object") if upgrade else ours
    step, crashed = 0, True
    while crashed:
        # Back and forth, so that each crash is that of a change.
        monkeypatch.setenv("RECLAIMD_BPF_OBJECT", str(theirs if step % 2 == 0 else ours))
        rules = [_rule(at_work, 8 + step % 2), *([_rule(other)] if step % 2 == 0 else [])]
        crashed = killed_at(step, partial(_apply, *rules))
        with closing(open_backend(ROOT)) as backend:
            backend.apply(rules)
            assert set(backend.stats()) == {each.cgroup_id for each in rules}
            assert backend.stats()[at_work.cgroup_id].triggers == triggers
            assert backend.ungoverned_charges() == 0
        assert len(list((PINS / "objects").iterdir())) == 1
        step += 1
    assert step > 5
    _charge(at_work, disk)
    with closing(open_backend(ROOT)) as backend:
        assert backend.stats()[at_work.cgroup_id].triggers > triggers


def test_a_crash_while_detaching_is_recovered_from(leaf: Cgroup) -> None:
    step, crashed = 12, True
    while crashed:
        crashed = killed_at(step, partial(_apply_and_detach, _rule(leaf)))
        detach()
        assert not PINS.exists()
        step += 1


def test_detach_takes_away_what_a_killed_daemon_has_left(leaf: Cgroup, start: StartDaemon) -> None:
    links = link_ids()
    start(BATCH).stop(signal.SIGKILL)
    assert len(link_ids() - links) == 1
    assert leaf.path.exists()
    ended = run_reclaimd("detach")
    assert (ended.status, ended.out, ended.lines) == (0, "detached\n", [])
    assert not PINS.exists()
    assert run_reclaimd("detach").out == "nothing was attached\n"


def test_detach_takes_away_what_another_version_has_left(at_work: Cgroup) -> None:
    (PINS / "objects/new").mkdir()
    (PINS / "version2").mkdir()
    with Link.open_pin(PINS / f"links/{at_work.cgroup_id}") as link:
        link.pin(PINS / "version2/somewhere")
    assert run_reclaimd("detach").out == "detached\n"
    assert not PINS.exists()


@pytest.mark.usefixtures("leaf")
def test_detach_is_refused_while_a_daemon_runs(start: StartDaemon) -> None:
    daemon = start(BATCH)
    ended = run_reclaimd("detach")
    assert ended.status == 1
    assert ended.lines == ["reclaimd: reclaimd is running already; stop it first"]
    assert daemon.scrape().cgroups() == {"/batch/a"}


@pytest.mark.usefixtures("leaf")
def test_a_second_daemon_ends_with_one_line_and_harms_nobody(
    start: StartDaemon, config: Path, tmp_path: Path
) -> None:
    daemon = start(BATCH)
    second = tmp_path / "second.yaml"
    shutil.copy(config, second)
    ended = run_reclaimd("run", "--config", str(second), "--socket", str(tmp_path / "second"))
    assert ended.status == 1
    assert ended.lines == ["reclaimd: reclaimd is running already; stop it first"]
    assert daemon.scrape().cgroups() == {"/batch/a"}


@pytest.mark.usefixtures("leaf")
def test_a_stop_leaves_the_rules_at_work_if_the_configuration_says_so(start: StartDaemon) -> None:
    links = link_ids()
    assert start(f"{BATCH}keep_on_stop: true\n").stop() == 0
    assert len(link_ids() - links) == 1
    assert start(BATCH).stop() == 0
    assert link_ids() == links


@pytest.mark.usefixtures("at_work")
def test_a_start_that_fails_leaves_the_old_rules_at_work(config: Path) -> None:
    links = link_ids()
    config.write_text("policies: [\n")
    assert run_reclaimd("run", "--config", str(config)).status == os.EX_CONFIG
    assert link_ids() == links


def test_only_one_at_a_time_changes_the_pins(backend: BpfBackend) -> None:
    refused = []

    def open_another() -> None:
        with pytest.raises(Exception, match="is running already"):
            open_backend(ROOT)
        refused.append(True)

    thread = threading.Thread(target=open_another)
    thread.start()
    thread.join()
    assert refused
    assert backend.stats() == {}
