# SPDX-License-Identifier: GPL-2.0-or-later
"""When there is nobody to talk to, or not for this user."""

import os
import socket
import threading
from pathlib import Path

import pytest

from reclaimd.cli.ctl.connection import Connection
from reclaimd.cli.reclaimctl import main
from reclaimd.errors import NotPermittedError
from tests.unit.cli.ctl.conftest import no_daemon

COMMANDS = [
    ["status"],
    ["list"],
    ["show", "/a"],
    ["events"],
    ["events", "--follow"],
    ["top", "--batch"],
    ["reload"],
    ["pause"],
    ["resume", "batch"],
    ["reclaim", "/a", "1MiB"],
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_without_a_daemon_each_command_says_so(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    ended = no_daemon(capsys, *arguments)
    assert ended.status == os.EX_UNAVAILABLE
    (line,) = ended.err
    assert line.startswith("reclaimctl: no daemon listens on /dev/null.sock; systemctl start reclaimd")


def test_what_a_killed_daemon_left_is_no_daemon(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(os.fspath(tmp_path / "io.reclaimd"))
    assert main(["status", f"--socket={tmp_path / 'io.reclaimd'}"]) == os.EX_UNAVAILABLE
    assert "no daemon listens" in capsys.readouterr().err


def test_a_daemon_that_goes_while_it_is_asked_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "io.reclaimd"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(path))
        listener.listen()

        def hang_up() -> None:
            listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with Connection(path) as connection, pytest.raises(Exception, match="ended the connection"):
            connection.call("Status")
        thread.join()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may connect to anything; in the VM it is tested")
def test_without_rights_it_says_whose_they_are(tmp_path: Path) -> None:
    path = tmp_path / "io.reclaimd"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(path))
        path.chmod(0)
        with pytest.raises(NotPermittedError, match="group reclaimd"):
            Connection(path)
