# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that behave badly, and what the daemon goes on with meanwhile."""

import socket
import time
from contextlib import ExitStack, suppress

import pytest

from reclaimd.service.control.client import Client
from reclaimd.service.control.message import MAX_MESSAGE_BYTES
from reclaimd.service.control.server import MAX_CLIENTS
from tests.unit.fake_cgroupfs import FakeCgroupfs
from tests.unit.service.control.asking import Peer, room_for
from tests.unit.service.memory_backend import episode
from tests.unit.service.running import RunningDaemon, add_parent

CALL = b'{"method":"io.reclaimd.Status"}\0'
#: How long an idle daemon is watched, and how often at most until it has come to rest.
WATCHED_S = 0.5
WATCHED = 10


@pytest.fixture
def daemon(cgroupfs: FakeCgroupfs) -> RunningDaemon:
    """A daemon that governs /batch/a."""
    add_parent(cgroupfs, "/batch")
    cgroupfs.add("/batch/a", max_bytes=40 << 20)
    return RunningDaemon(cgroupfs)


def goes_on(daemon: RunningDaemon) -> None:
    """Check that events are taken, metrics are served and calls are answered."""
    (cgroup_id,) = daemon.backend.rules
    daemon.backend.event_happens(episode(cgroup_id))
    daemon.wait_for_line("episode")
    assert "reclaimd_rules 1.0" in daemon.scrape()
    with Peer(daemon.socket) as peer:
        assert peer.call("Status")["rules"] == 1


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n\0",
        b"\0",
        b"\0\0\0" * 1000,
        b"[" * 5000 + b"\0",
        b'{"method": 7}\0',
        b"\xff" * MAX_MESSAGE_BYTES + b"\0",
        b"x" * (MAX_MESSAGE_BYTES + 1),
        b'{"method":"' + b"x" * 10 * MAX_MESSAGE_BYTES,
    ],
)
def test_garbage_ends_the_connection_and_nothing_else(daemon: RunningDaemon, data: bytes) -> None:
    def script(running: RunningDaemon) -> None:
        with Peer(running.socket) as peer:
            with suppress(BrokenPipeError, ConnectionResetError):
                peer.send(data)
            assert peer.is_closed()
        goes_on(running)

    daemon.run(script)


def test_half_a_message_is_waited_for(daemon: RunningDaemon) -> None:
    def script(running: RunningDaemon) -> None:
        with Peer(running.socket) as peer:
            peer.send(CALL[:9])
            goes_on(running)
            peer.send(CALL[9:])
            assert peer.reply()["parameters"]["rules"] == 1

    daemon.run(script)


def test_a_client_that_goes_in_the_middle_of_a_message_is_forgotten(daemon: RunningDaemon) -> None:
    def script(running: RunningDaemon) -> None:
        with Peer(running.socket) as peer:
            peer.send(CALL[:9])
        goes_on(running)

    daemon.run(script)


def test_calls_that_are_sent_at_once_are_answered_in_order(daemon: RunningDaemon) -> None:
    def script(running: RunningDaemon) -> None:
        with Peer(running.socket) as peer:
            peer.ask("Status")
            peer.ask("Show", {"cgroup": "/batch/a"})
            peer.ask("Status")
            assert "rules" in peer.reply()["parameters"]
            assert "governed" in peer.reply()["parameters"]
            assert "rules" in peer.reply()["parameters"]

    daemon.run(script)


def test_who_calls_one_way_may_go_at_once(daemon: RunningDaemon) -> None:
    def script(running: RunningDaemon) -> None:
        with Peer(running.socket) as peer:
            peer.ask("Pause", oneway=True)
        running.wait_for_line("paused")

    daemon.run(script)


def test_a_oneway_call_is_not_answered(daemon: RunningDaemon) -> None:
    def script(running: RunningDaemon) -> None:
        with Peer(running.socket) as peer:
            peer.ask("Status", oneway=True)
            peer.ask("Show", {"cgroup": "/batch/a"})
            assert "governed" in peer.reply()["parameters"]

    daemon.run(script)


def test_a_client_that_has_shut_its_side_down_gets_its_answer(daemon: RunningDaemon) -> None:
    def script(running: RunningDaemon) -> None:
        with Peer(running.socket) as peer:
            peer.send(CALL)
            peer._socket.shutdown(socket.SHUT_WR)
            assert peer.reply()["parameters"]["rules"] == 1
            assert peer.is_closed()

    daemon.run(script)


def test_idle_clients_beyond_the_most_there_may_be_do_no_harm(daemon: RunningDaemon) -> None:
    def script(running: RunningDaemon) -> None:
        with room_for(4096), ExitStack() as peers:
            for _ in range(1000):
                peers.enter_context(Peer(running.socket))
            goes_on(running)
            with Peer(running.socket) as peer:
                assert peer.call("Status")["dropped_clients"] >= 1000 - MAX_CLIENTS

    daemon.run(script)


def test_one_that_is_answered_stays_when_idle_ones_come(daemon: RunningDaemon) -> None:
    def script(running: RunningDaemon) -> None:
        with ExitStack() as peers:
            follower = peers.enter_context(Peer(running.socket))
            replies = follower.call_more("Events")
            next(replies)
            for _ in range(3 * MAX_CLIENTS):
                peers.enter_context(Peer(running.socket))
            goes_on(running)
            assert next(replies)["events"]

    daemon.run(script)


def test_one_that_does_not_read_is_waited_for_by_nobody(daemon: RunningDaemon) -> None:
    def script(running: RunningDaemon) -> None:
        with Peer(running.socket) as deaf:
            # Calls without end, until the daemon takes no more of them.
            deaf._socket.settimeout(0)
            with suppress(BlockingIOError):
                while True:
                    deaf._socket.send(CALL * 100)
            goes_on(running)

    daemon.run(script)


def test_idle_clients_do_not_wake_the_daemon(daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[Client] = []
    turn = Client.turn

    def counted(client: Client, ready: int = 0) -> bool:
        turns.append(client)
        return turn(client, ready)

    monkeypatch.setattr(Client, "turn", counted)

    def script(running: RunningDaemon) -> None:
        with ExitStack() as peers:
            for _ in range(10):
                peers.enter_context(Peer(running.socket)).send(CALL[:9])
            follower = peers.enter_context(Peer(running.socket))
            next(follower.call_more("Events"))
            goes_on(running)
            # What came before may still have its consequences; but then there is nothing more to be waited for.
            for _ in range(WATCHED):
                turns.clear()
                time.sleep(WATCHED_S)
                if not turns:
                    return
            raise AssertionError(f"{len(turns)} turns for nothing")

    daemon.run(script)
