# SPDX-License-Identifier: GPL-2.0-or-later
"""Entries of the journal: their fields, their ids, and whether there is a journal at all."""

import os
import re
import socket
import sys
import threading
import types
from pathlib import Path

import pytest

from reclaimd.service import event_log, lifecycle, log, permission, resolver
from reclaimd.service.journal import MESSAGE_IDS, PRIORITIES, entry, journal_sender, wait_for_room
from tests.full_socket import fill


def test_every_kind_has_an_id_of_its_own() -> None:
    assert len(set(MESSAGE_IDS.values())) == len(MESSAGE_IDS)
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in MESSAGE_IDS.values())


def test_every_kind_is_logged_somewhere() -> None:
    sources = [
        Path(str(module.__file__)).read_text() for module in (event_log, lifecycle, log, permission, resolver)
    ]
    for kind in MESSAGE_IDS:
        assert any(f'"{kind}"' in source for source in sources), kind


def test_every_kind_is_documented_with_its_id() -> None:
    text = (Path(__file__).parents[3] / "docs/operation.md").read_text()
    for kind, message_id in MESSAGE_IDS.items():
        assert f"| `{kind}` | `{message_id}` |" in text, kind


@pytest.mark.parametrize(("level", "priority"), PRIORITIES.items())
def test_levels_are_priorities(level: str, priority: int) -> None:
    assert f"PRIORITY={priority}" in entry({"event": "episode", "level": level})


def test_a_problem_with_a_policy_is_of_one_kind_whatever_it_says() -> None:
    fields = entry({"event": "policy.yaml:4:5: wrong", "level": "error", "kind": "policy problem"})
    assert f"MESSAGE_ID={MESSAGE_IDS['policy problem']}" in fields
    assert "MESSAGE=policy.yaml:4:5: wrong" in fields
    assert not any(field.startswith("KIND=") for field in fields)


@pytest.mark.parametrize("stream", [None, "", "1:2", "nonsense"])
def test_without_a_journal_nothing_is_sent_to_it(
    stream: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    if stream is not None:
        monkeypatch.setenv("JOURNAL_STREAM", stream)
    with (tmp_path / "stderr").open("w") as file:
        assert journal_sender(file.fileno()) is None


def test_a_stream_that_is_the_journals_is_known_by_its_inode(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module = types.ModuleType("systemd")
    monkeypatch.setattr(module, "journal", types.SimpleNamespace(sendv=print), raising=False)
    monkeypatch.setitem(sys.modules, "systemd", module)
    with (tmp_path / "stderr").open("w") as file:
        status = os.fstat(file.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{status.st_dev}:{status.st_ino}")
        assert journal_sender(file.fileno()) is not None


def test_a_journal_that_takes_nothing_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(path))
        fill(path)
        waiting = threading.Thread(target=wait_for_room, args=(path,), daemon=True)
        waiting.start()
        waiting.join(0.1)
        assert waiting.is_alive()
        while waiting.is_alive():
            journal.recv(100)
            waiting.join(0.01)


def test_without_a_journal_nobody_waits(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        wait_for_room(tmp_path / "socket")
