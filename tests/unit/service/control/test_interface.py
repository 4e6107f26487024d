# SPDX-License-Identifier: GPL-2.0-or-later
"""What the methods answer, and what they change."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from varlink import VarlinkError

from reclaimd import __version__
from reclaimd.backend.base import Ability, CgroupGone, StartReason, StopReason
from reclaimd.config.models import Mode
from reclaimd.errors import HostError
from reclaimd.service.control.call import Call
from reclaimd.service.control.history import MAX_KEPT, History
from reclaimd.service.control.interface import GOVERNED_IN_REPLY, Interface
from reclaimd.service.ledger import Ledger
from tests.unit.fake_cgroupfs import FakeCgroupfs
from tests.unit.service.control.asking import Peer
from tests.unit.service.control.conforming import DESCRIPTION, complaints
from tests.unit.service.memory_backend import MemoryBackend, episode
from tests.unit.service.running import BATCH, RunningDaemon, add_parent

MIB = 1 << 20
NOBODY = 65534

TWO = """\
policies:
  - name: batch
    match: /batch/*
    reclaim: {start: 75%, stop: 50%}
    back_pressure: {start: 90%, max_delay: 40ms}
  - name: web
    match: /web
    mode: monitor
    protect: {as: low, while: {pgfaults: 5000/s}}
"""


class Untouched:
    """A daemon that must not be steered."""

    dropped_clients = 0

    def reload(self) -> tuple[str, ...]:
        """Fail."""
        raise AssertionError

    def pause(self, policy: str | None) -> None:
        """Fail."""
        raise AssertionError(policy)

    def resume(self, policy: str | None) -> None:
        """Fail."""
        raise AssertionError(policy)


Script = Callable[[RunningDaemon, Peer], None]


@pytest.fixture
def run(cgroupfs: FakeCgroupfs) -> Callable[[Script], None]:
    """Runs a script with a daemon that governs /batch/a and /web, and a client."""
    add_parent(cgroupfs, "/batch")
    cgroupfs.add("/batch/a", max_bytes=40 * MIB, current_bytes=12 * MIB)
    cgroupfs.add("/web")

    def run(script: Script) -> None:
        def with_client(running: RunningDaemon) -> None:
            with Peer(running.socket) as peer:
                script(running, peer)

        RunningDaemon(cgroupfs, TWO).run(with_client)

    return run


def error_of(reply: dict[str, object]) -> str:
    """Return the last part of an error's name."""
    return str(reply["error"]).rpartition(".")[2]


def modes(daemon: RunningDaemon) -> dict[str, Mode]:
    """Return the modes of the rules in force, by cgroup."""
    return {rule.path: rule.mode for rule in daemon.backend.rules.values()}


def id_of(daemon: RunningDaemon, path: str) -> int:
    """Return the id of a governed cgroup."""
    return next(rule.cgroup_id for rule in daemon.backend.rules.values() if rule.path == path)


def test_the_service_describes_its_interface(run: Callable[[Script], None]) -> None:
    def script(_daemon: RunningDaemon, peer: Peer) -> None:
        info = peer.call("org.varlink.service.GetInfo")
        assert (info["product"], info["version"]) == ("reclaimd", __version__)
        assert info["interfaces"] == ["org.varlink.service", "io.reclaimd"]
        told = peer.call("org.varlink.service.GetInterfaceDescription", {"interface": "io.reclaimd"})
        assert told["description"] == DESCRIPTION

    run(script)


@pytest.mark.parametrize(
    ("method", "error"),
    [
        ("io.reclaimd.Frobnicate", "MethodNotFound"),
        ("io.elsewhere.Status", "InterfaceNotFound"),
        ("Status", "InterfaceNotFound"),
    ],
)
def test_what_is_not_there_is_an_error(run: Callable[[Script], None], method: str, error: str) -> None:
    def script(_daemon: RunningDaemon, peer: Peer) -> None:
        peer.send(f'{{"method": "{method}"}}\0'.encode())
        assert error_of(peer.reply()) == error

    run(script)


@pytest.mark.parametrize("parameters", [{}, {"cgroup": 7}, {"cgroup": "/web", "more": 1}, {"cgroup": []}])
def test_wrong_parameters_are_an_error(run: Callable[[Script], None], parameters: dict[str, object]) -> None:
    def script(_daemon: RunningDaemon, peer: Peer) -> None:
        assert error_of(peer.call("Show", parameters)) == "InvalidParameter"

    run(script)


def test_status_tells_what_is_in_force(run: Callable[[Script], None]) -> None:
    def script(_daemon: RunningDaemon, peer: Peer) -> None:
        status = peer.call("Status")
        assert not complaints("Status", status)
        assert (status["version"], status["backend"], status["rules"]) == (__version__, "memory", 2)
        assert status["policies"] == [
            {
                "name": "batch",
                "mode": "enforce",
                "paused": False,
                "cgroups": 1,
                "lacks": [],
                "forbidden_cgroups": 0,
            },
            {
                "name": "web",
                "mode": "monitor",
                "paused": False,
                "cgroups": 1,
                "lacks": [],
                "forbidden_cgroups": 0,
            },
        ]

    run(script)


def test_the_backend_is_told_with_its_reason_and_what_policies_lack_on_it(cgroupfs: FakeCgroupfs) -> None:
    add_parent(cgroupfs, "/batch")
    cgroupfs.add("/batch/a", max_bytes=40 * MIB)
    cgroupfs.add("/batch/foreign", max_bytes=40 * MIB)

    def script(daemon: RunningDaemon) -> None:
        with Peer(daemon.socket) as peer:
            status, shown = peer.call("Status"), peer.call("Show", {"cgroup": "/batch/a"})
        assert not complaints("Status", status)
        assert not complaints("Show", shown)
        assert status["backend_why"] == "there is no other"
        (policy,) = status["policies"]
        assert (policy["lacks"], policy["forbidden_cgroups"]) == (["first_charge"], 1)
        assert shown["lacks"] == ["first_charge"]

    daemon = RunningDaemon(cgroupfs)
    daemon.backend.abilities = frozenset(Ability) - {Ability.FIRST_CHARGE}
    daemon.backend.forbidden = {"/batch/foreign"}
    daemon.run(script)


def test_list_tells_of_every_governed_cgroup(run: Callable[[Script], None]) -> None:
    def script(_daemon: RunningDaemon, peer: Peer) -> None:
        (reply,) = peer.call_more("List")
        assert not complaints("List", reply)
        batch, web = reply["governed"]
        assert (batch["cgroup"], batch["policy"], batch["usage_bytes"]) == ("/batch/a", "batch", 12 * MIB)
        assert (batch["start"], batch["stop"], batch["limit_bytes"]) == (
            "usage 30MiB",
            "usage 20MiB",
            40 * MIB,
        )
        assert web["cgroup"] == "/web"
        assert web.keys().isdisjoint({"start", "stop", "limit_bytes"})

    run(script)


def test_list_wants_more_replies_than_one(run: Callable[[Script], None]) -> None:
    def script(_daemon: RunningDaemon, peer: Peer) -> None:
        assert error_of(peer.call("List")) == "ExpectedMore"

    run(script)


@pytest.mark.parametrize("number", [0, 1, GOVERNED_IN_REPLY, GOVERNED_IN_REPLY + 1])
def test_list_tells_of_some_cgroups_at_a_time(cgroupfs: FakeCgroupfs, number: int) -> None:
    add_parent(cgroupfs, "/batch")
    for at in range(number):
        cgroupfs.add(f"/batch/{at}", max_bytes=40 * MIB)

    def script(daemon: RunningDaemon) -> None:
        with Peer(daemon.socket) as peer:
            told = [len(reply["governed"]) for reply in peer.call_more("List")]
        assert sum(told) == number
        assert max(told) <= GOVERNED_IN_REPLY

    RunningDaemon(cgroupfs).run(script)


def test_show_tells_everything_of_one(run: Callable[[Script], None]) -> None:
    def script(daemon: RunningDaemon, peer: Peer) -> None:
        cgroup_id = id_of(daemon, "/batch/a")
        daemon.backend.counts_happen(cgroup_id, triggers=3, ended_for={StopReason.USAGE: 2})
        daemon.backend.event_happens(episode(cgroup_id))
        daemon.wait_for_line("episode")
        shown = peer.call("Show", {"cgroup": "/batch/a"})
        assert not complaints("Show", shown)
        assert shown["governed"]["counters"]["triggers"] == 3
        assert shown["episodes_by_reason"] == {"usage": 2}
        assert shown["back_pressure"]["max_delay_ms"] == 40
        (event,) = shown["events"]
        assert event["episode"]["reclaimed_bytes"] == 2 * MIB

    run(script)


def test_show_tells_of_protection(run: Callable[[Script], None]) -> None:
    def script(_daemon: RunningDaemon, peer: Peer) -> None:
        shown = peer.call("Show", {"cgroup": "/web"})
        assert not complaints("Show", shown)
        assert shown["protection"] == {"protect_as": "low", "condition": "pgfaults 5000/s", "for_ms": 2000}

    run(script)


def test_a_cgroup_that_is_not_governed_is_an_error(run: Callable[[Script], None]) -> None:
    def script(_daemon: RunningDaemon, peer: Peer) -> None:
        reply = peer.call("Show", {"cgroup": "/batch"})
        assert error_of(reply) == "NoSuchCgroup"
        assert reply["parameters"] == {"cgroup": "/batch"}

    run(script)


def test_events_are_the_latest(run: Callable[[Script], None]) -> None:
    def script(daemon: RunningDaemon, peer: Peer) -> None:
        cgroup_id = id_of(daemon, "/batch/a")
        for number in range(5):
            daemon.backend.event_happens(episode(cgroup_id, number=number))
            daemon.wait_for_line("episode", episode=number)
        reply = peer.call("Events", {"last": 2})
        assert not complaints("Events", reply)
        assert [event["episode"]["number"] for event in reply["events"]] == [3, 4]
        assert len(peer.call("Events")["events"]) == 5

    run(script)


def test_events_are_followed(run: Callable[[Script], None]) -> None:
    def script(daemon: RunningDaemon, peer: Peer) -> None:
        cgroup_id = id_of(daemon, "/batch/a")
        replies = peer.call_more("Events", {"last": 0})
        assert next(replies) == {"events": [], "lost": 0}
        for number in range(3):
            daemon.backend.event_happens(episode(cgroup_id, number=number))
            reply = next(replies)
            assert not complaints("Events", reply)
            assert [event["episode"]["number"] for event in reply["events"]] == [number]

    run(script)


def test_who_cannot_follow_is_told_how_much_was_lost(run: Callable[[Script], None]) -> None:
    def script(daemon: RunningDaemon, peer: Peer) -> None:
        cgroup_id = id_of(daemon, "/batch/a")
        replies = peer.call_more("Events", {"last": 0})
        next(replies)
        happened = 8 * MAX_KEPT
        for _ in range(happened):
            daemon.backend.event_happens(episode(cgroup_id))
        told = lost = 0
        while told + lost < happened:
            reply = next(replies)
            told += len(reply["events"])
            lost += reply["lost"]
        assert told + lost == happened
        assert lost

    run(script)


def test_reload_puts_another_configuration_in_force(run: Callable[[Script], None]) -> None:
    def script(daemon: RunningDaemon, peer: Peer) -> None:
        daemon.text = BATCH
        assert peer.call("Reload") == {}
        assert [policy["name"] for policy in peer.call("Status")["policies"]] == ["batch"]

    run(script)


def test_a_reload_that_fails_tells_where(run: Callable[[Script], None]) -> None:
    def script(daemon: RunningDaemon, peer: Peer) -> None:
        daemon.text = BATCH.replace("75%", "75")
        reply = peer.call("Reload")
        assert error_of(reply) == "NotReloaded"
        (problem,) = reply["parameters"]["problems"]
        assert problem.startswith("policy.yaml:4:22: ")
        status = peer.call("Status")
        assert (status["reload_problems"], status["rules"]) == ([problem], 2)

    run(script)


def test_a_paused_policy_is_in_mode_monitor_until_it_is_resumed(run: Callable[[Script], None]) -> None:
    def script(daemon: RunningDaemon, peer: Peer) -> None:
        assert peer.call("Pause", {"policy": "batch"}) == {}
        assert modes(daemon)["/batch/a"] is Mode.MONITOR
        assert [policy["paused"] for policy in peer.call("Status")["policies"]] == [True, False]
        assert 'reclaimd_policy_paused{policy="batch"} 1.0' in daemon.scrape()
        assert peer.call("Resume", {"policy": "batch"}) == {}
        assert modes(daemon)["/batch/a"] is Mode.ENFORCE
        assert 'reclaimd_policy_paused{policy="batch"} 0.0' in daemon.scrape()

    run(script)


def test_a_pause_survives_a_reload(run: Callable[[Script], None]) -> None:
    def script(daemon: RunningDaemon, peer: Peer) -> None:
        peer.call("Pause")
        daemon.text = BATCH
        assert peer.call("Reload") == {}
        assert modes(daemon) == {"/batch/a": Mode.MONITOR}

    run(script)


def test_resuming_ends_a_pause_and_not_a_mode(run: Callable[[Script], None]) -> None:
    def script(daemon: RunningDaemon, peer: Peer) -> None:
        peer.call("Pause")
        peer.call("Resume")
        assert modes(daemon) == {"/batch/a": Mode.ENFORCE, "/web": Mode.MONITOR}

    run(script)


@pytest.mark.parametrize("method", ["Pause", "Resume"])
def test_a_policy_that_is_not_there_is_an_error(run: Callable[[Script], None], method: str) -> None:
    def script(_daemon: RunningDaemon, peer: Peer) -> None:
        reply = peer.call(method, {"policy": "nobody"})
        assert error_of(reply) == "NoSuchPolicy"
        assert reply["parameters"] == {"policy": "nobody"}

    run(script)


def test_a_pause_that_the_kernel_refuses_changes_nothing(run: Callable[[Script], None]) -> None:
    def refuse(_rules: object) -> None:
        raise HostError("no room")

    def script(daemon: RunningDaemon, peer: Peer) -> None:
        daemon.backend.before_apply = refuse
        reply = peer.call("Pause")
        assert (error_of(reply), reply["parameters"]) == ("Refused", {"reason": "no room"})
        assert modes(daemon)["/batch/a"] is Mode.ENFORCE
        assert not any(policy["paused"] for policy in peer.call("Status")["policies"])

    run(script)


def test_reclaim_answers_when_its_episode_has_ended(run: Callable[[Script], None]) -> None:
    def script(daemon: RunningDaemon, peer: Peer) -> None:
        cgroup_id = id_of(daemon, "/batch/a")
        peer.ask("Reclaim", {"cgroup": "/batch/a", "size_bytes": 2 * MIB})
        with Peer(daemon.socket) as other:
            # Another's answer shows that the daemon waits for nobody; and its own triggers end nothing.
            daemon.backend.event_happens(episode(cgroup_id, number=1))
            daemon.wait_for_line("episode", episode=1)
            assert other.call("Status")["rules"] == 2
        assert daemon.backend.requests == [(cgroup_id, 512)]
        requested = replace(episode(cgroup_id, number=2), started_for=StartReason.REQUESTED)
        daemon.backend.event_happens(requested)
        reply = peer.reply()["parameters"]
        assert not complaints("Reclaim", reply)
        assert (reply["event"]["episode"]["number"], reply["event"]["cgroup"]) == (2, "/batch/a")

    run(script)


def test_reclaim_ends_with_its_cgroup(run: Callable[[Script], None]) -> None:
    def script(daemon: RunningDaemon, peer: Peer) -> None:
        cgroup_id = id_of(daemon, "/batch/a")
        peer.ask("Reclaim", {"cgroup": "/batch/a", "size_bytes": 2 * MIB})
        with Peer(daemon.socket) as other:
            other.call("Status")
        daemon.cgroupfs.remove("/batch/a")
        daemon.backend.event_happens(CgroupGone(cgroup_id))
        assert error_of(peer.reply()) == "NoSuchCgroup"

    run(script)


def test_reclaim_does_not_wait_for_an_event_that_was_lost(run: Callable[[Script], None]) -> None:
    def script(daemon: RunningDaemon, peer: Peer) -> None:
        cgroup_id = id_of(daemon, "/batch/a")
        peer.ask("Reclaim", {"cgroup": "/batch/a", "size_bytes": 2 * MIB})
        with Peer(daemon.socket) as other:
            other.call("Status")
        daemon.backend.dropped = 1
        daemon.backend.event_happens(episode(cgroup_id, number=1))
        reply = peer.reply()
        assert error_of(reply) == "Refused"
        assert "events were lost" in reply["parameters"]["reason"]

    run(script)


@pytest.mark.parametrize("size_bytes", [0, -1, 4095])
def test_less_than_a_page_cannot_be_reclaimed(run: Callable[[Script], None], size_bytes: int) -> None:
    def script(daemon: RunningDaemon, peer: Peer) -> None:
        reply = peer.call("Reclaim", {"cgroup": "/batch/a", "size_bytes": size_bytes})
        assert error_of(reply) == "InvalidParameter"
        assert not daemon.backend.requests

    run(script)


@pytest.mark.parametrize("name", ["Reload", "Pause", "Resume", "Reclaim"])
def test_only_root_may_change_anything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    # The kernel says who has connected; in the VM this is tested with real users.
    monkeypatch.setattr("os.geteuid", lambda: 0)
    interface = Interface(Untouched(), Ledger(MemoryBackend()), History(), tmp_path, Untouched())
    parameters = {"Reload": (), "Reclaim": ("/batch/a", MIB)}.get(name, (None,))
    with pytest.raises(VarlinkError) as raised:
        getattr(interface, name)(*parameters, _request=Call(NOBODY))
    assert raised.value.error() == "io.reclaimd.NotPermitted"
