# SPDX-License-Identifier: GPL-2.0-or-later

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reclaimd.errors import NotPermittedError, ReclaimdError
from reclaimd.service.control.address import ControlSocket


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the socket is to be."""
    return tmp_path / "run" / "io.reclaimd"


@pytest.fixture
def listening(path: Path) -> Iterator[ControlSocket]:
    """The socket there."""
    with closing(ControlSocket(path)) as listening:
        yield listening


@pytest.mark.usefixtures("listening")
def test_only_owner_and_group_may_connect(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_the_file_goes_when_it_is_closed(listening: ControlSocket, path: Path) -> None:
    listening.close()
    assert not path.exists()


def test_the_file_of_another_stays_when_it_is_closed(listening: ControlSocket, path: Path) -> None:
    path.rename(path.with_name("old"))
    path.touch()
    listening.close()
    assert path.exists()


def test_what_a_killed_daemon_left_is_replaced(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(os.fspath(path))
    with closing(ControlSocket(path)), socket.socket(socket.AF_UNIX) as client:
        client.connect(os.fspath(path))


@pytest.mark.usefixtures("listening")
def test_the_socket_of_a_running_daemon_is_not_taken(path: Path) -> None:
    with pytest.raises(ReclaimdError, match="another reclaimd listens"):
        ControlSocket(path)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(os.fspath(path))


def test_a_file_that_is_no_socket_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("precious")
    with pytest.raises(ReclaimdError, match="cannot listen"):
        ControlSocket(path)
    assert path.read_text() == "precious"


def test_a_path_that_is_too_long_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ReclaimdError, match="cannot listen"):
        ControlSocket(tmp_path / ("x" * 120))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_without_rights_it_says_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(NotPermittedError, match="run as root"):
        ControlSocket(tmp_path / "io.reclaimd")
