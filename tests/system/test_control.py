# SPDX-License-Identifier: GPL-2.0-or-later
"""The control socket, asked by systemd's varlinkctl, by other users, and by clients that behave badly."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.cgroups import PAGE_BYTES, Cgroup, Charger
from tests.system.conftest import StartDaemon
from tests.system.daemon import PATIENCE_S, Daemon
from tests.system.load import MIB, limited, write_and_read
from tests.unit.service.control.asking import Peer, room_for
from tests.unit.service.control.conforming import complaints

POLICY = """\
policies:
  - name: batch
    match: /batch/*
    reclaim: {start: 24MiB, stop: 22MiB}
"""
IDLE_CLIENTS = 1000
GROUP_ID = 64999
MEMBER = ("setpriv", "--reuid=65534", "--regid=65534", f"--groups={GROUP_ID}")
STRANGER = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


@pytest.fixture
def leaf(batch: Cgroup) -> Cgroup:
    """The cgroup /batch/a, of 32 MiB."""
    return limited(batch, "a", 32)


@pytest.fixture
def daemon(start: StartDaemon, leaf: Cgroup) -> Daemon:
    """A daemon that governs it."""
    del leaf
    return start(POLICY)


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """The group reclaimd exists, and anybody may look into the tests' directory."""
    groups = tmp_path / "group"
    groups.write_text(f"{Path('/etc/group').read_text()}reclaimd:x:{GROUP_ID}:\n")
    groups.chmod(0o644)
    for directory in (tmp_path, *tmp_path.parents):
        directory.chmod(directory.stat().st_mode | 0o011)
    subprocess.run(["mount", "--bind", groups, "/etc/group"], check=True)
    yield
    subprocess.run(["umount", "/etc/group"], check=True)


def varlinkctl(*arguments: str, prefix: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run systemd's tool for Varlink."""
    return subprocess.run(
        [*prefix, "varlinkctl", *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def call(daemon: Daemon, method: str, parameters: str = "{}", *options: str) -> list[dict[str, Any]]:
    """Call a method of io.reclaimd with varlinkctl; return the replies."""
    ended = varlinkctl(
        "call", "--json=short", *options, str(daemon.socket), f"io.reclaimd.{method}", parameters
    )
    assert ended.returncode == 0, ended
    decoder, replies, rest = json.JSONDecoder(), [], ended.stdout.replace("\x1e", "").strip()
    while rest:
        reply, end = decoder.raw_decode(rest)
        assert not complaints(method, reply)
        replies.append(reply)
        rest = rest[end:].strip()
    return replies


def test_varlinkctl_introspects_it(daemon: Daemon) -> None:
    ended = varlinkctl("introspect", str(daemon.socket), "io.reclaimd")
    assert ended.returncode == 0, ended
    for method in ("Status", "List", "Show", "Events", "Reload", "Pause", "Resume", "Reclaim"):
        assert f"method {method}(" in ended.stdout


def test_varlinkctl_finds_its_interfaces(daemon: Daemon) -> None:
    ended = varlinkctl("info", str(daemon.socket))
    assert ended.returncode == 0, ended
    assert "io.reclaimd" in ended.stdout
    assert "org.varlink.service" in ended.stdout


def test_varlinkctl_calls_its_methods(daemon: Daemon, leaf: Cgroup, backend_name: str) -> None:
    (status,) = call(daemon, "Status")
    assert (status["backend"], status["rules"]) == (backend_name, 1)
    (listed,) = call(daemon, "List", "{}", "--more")
    (governed,) = listed["governed"]
    assert governed["cgroup"] == "/batch/a"
    (shown,) = call(daemon, "Show", '{"cgroup": "/batch/a"}')
    assert shown["memory_events"]["max"] == leaf.keyed("memory.events")["max"]
    assert call(daemon, "Events") == [{"events": [], "lost": 0}]
    for method in ("Pause", "Resume", "Reload"):
        assert call(daemon, method) == [{}]


def test_varlinkctl_is_told_why_not(daemon: Daemon) -> None:
    ended = varlinkctl("call", str(daemon.socket), "io.reclaimd.Show", '{"cgroup": "/nowhere"}')
    assert ended.returncode != 0
    assert "io.reclaimd.NoSuchCgroup" in ended.stderr


def test_reclaim_really_reclaims(daemon: Daemon, leaf: Cgroup, disk: Path) -> None:
    with Charger(leaf) as charger:
        charger.file(disk / "file", 16 * MIB // PAGE_BYTES)
    before = leaf.usage_pages
    (reply,) = call(daemon, "Reclaim", f'{{"cgroup": "/batch/a", "size_bytes": {8 * MIB}}}')
    episode = reply["event"]["episode"]
    assert (episode["started_for"], episode["reason"]) == ("requested", "reclaimed")
    assert episode["reclaimed_bytes"] >= 8 * MIB
    assert leaf.usage_pages <= before - 7 * MIB // PAGE_BYTES
    daemon.wait_for("episode", started_for="requested")


def test_a_paused_policy_reclaims_nothing(daemon: Daemon, leaf: Cgroup, disk: Path) -> None:
    call(daemon, "Pause", '{"policy": "batch"}')
    write_and_read(leaf, disk / "file", 64)
    daemon.wait_for("episode", reason="monitored")
    (shown,) = call(daemon, "Show", '{"cgroup": "/batch/a"}')
    assert shown["governed"]["counters"]["passes"] == 0
    assert leaf.keyed("memory.events")["max"] > 0
    call(daemon, "Resume", '{"policy": "batch"}')
    write_and_read(leaf, disk / "file", 64)
    daemon.wait_for("episode", reason="usage")


@pytest.mark.usefixtures("group")
def test_members_of_the_group_look_and_change_nothing(start: StartDaemon, leaf: Cgroup) -> None:
    del leaf
    daemon = start(POLICY)
    socket = str(daemon.socket)
    assert varlinkctl("call", socket, "io.reclaimd.Status", "{}", prefix=MEMBER).returncode == 0
    for method, parameters in (
        ("Reload", "{}"),
        ("Pause", "{}"),
        ("Resume", "{}"),
        ("Reclaim", '{"cgroup": "/batch/a", "size_bytes": 4096}'),
    ):
        ended = varlinkctl("call", socket, f"io.reclaimd.{method}", parameters, prefix=MEMBER)
        assert ended.returncode != 0
        assert "io.reclaimd.NotPermitted" in ended.stderr


@pytest.mark.usefixtures("group")
def test_others_may_not_connect(start: StartDaemon, leaf: Cgroup) -> None:
    del leaf
    daemon = start(POLICY)
    ended = varlinkctl("call", str(daemon.socket), "io.reclaimd.Status", "{}", prefix=STRANGER)
    assert ended.returncode != 0
    assert "Permission denied" in ended.stderr


def test_idle_clients_do_no_harm(daemon: Daemon, leaf: Cgroup, disk: Path) -> None:
    with room_for(4 * IDLE_CLIENTS), ExitStack() as peers:
        for number in range(IDLE_CLIENTS):
            peer = peers.enter_context(Peer(daemon.socket))
            if number % 2:
                peer.send(b'{"method":"io.recl')
        write_and_read(leaf, disk / "file", 64)
        daemon.wait_for("episode", reason="usage")
        assert daemon.scrape().value("reclaimd_rules") == 1
        (status,) = call(daemon, "Status")
        assert status["rules"] == 1
        descriptors = Path(f"/proc/{daemon.pid}/fd")
        assert len(list(descriptors.iterdir())) < IDLE_CLIENTS // 2


def test_what_a_killed_daemon_left_is_replaced(daemon: Daemon, start: StartDaemon) -> None:
    daemon.stop(signal.SIGKILL)
    again = start(POLICY)
    assert again.socket == daemon.socket
    (status,) = call(again, "Status")
    assert status["pid"] == again.pid
