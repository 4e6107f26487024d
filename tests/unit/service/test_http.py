# SPDX-License-Identifier: GPL-2.0-or-later
"""The metrics' listening socket: where it listens, and what clients cannot do to it."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest

from reclaimd.config.listen import ListenAddress
from reclaimd.errors import ReclaimdError
from reclaimd.service.http import MAX_CLIENTS, MetricsServer

TIMEOUT_S = 10.0
ANY_PORT = ListenAddress("127.0.0.1", 0)


def hello(_environ: WSGIEnvironment, start: StartResponse) -> list[bytes]:
    """Answer any request."""
    start("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    """A server on a free loopback port."""
    server = MetricsServer(hello, ANY_PORT)
    yield server
    server.close()


def connect(server: MetricsServer) -> socket.socket:
    """Connect to a server as a client does."""
    return socket.create_connection((server.address.host, server.address.port), TIMEOUT_S)


def test_the_address_names_the_port_that_was_free(server: MetricsServer) -> None:
    assert server.address.port > 0
    with connect(server) as client:
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        server.accept()
        assert client.recv(100).startswith(b"HTTP/1.0 200 OK\r\n")


def has_ipv6_loopback() -> bool:
    """Tell whether this host can listen on ::1."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6_loopback(), reason="this host has no IPv6 loopback")
def test_ipv6_is_served() -> None:
    server = MetricsServer(hello, ListenAddress("::1", 0))
    with connect(server):
        server.accept()
    assert str(server.address) == f"[::1]:{server.address.port}"
    server.close()


def test_without_a_connection_accept_returns_at_once(server: MetricsServer) -> None:
    server.accept()


def test_a_silent_client_does_not_keep_others_waiting(server: MetricsServer) -> None:
    with connect(server), connect(server) as client:
        server.accept()
        server.accept()
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.0 200 OK\r\n")


def test_more_clients_than_are_served_at_a_time_are_refused_and_counted() -> None:
    refused: list[None] = []
    server = MetricsServer(hello, ANY_PORT, None, lambda: refused.append(None))
    with ExitStack() as idle:
        for _ in range(MAX_CLIENTS):
            idle.enter_context(connect(server))
            server.accept()
        with connect(server) as client:
            server.accept()
            assert client.recv(100) == b""
    assert len(refused) == 1
    server.close()


def test_clients_are_served_again_when_threads_can_be_started_again(
    server: MetricsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as short_of_memory:
        short_of_memory.setattr(threading.Thread, "start", fail)
        for _ in range(MAX_CLIENTS):
            with connect(server) as client:
                server.accept()
                assert client.recv(100) == b""
    with connect(server) as client:
        server.accept()
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.0 200 OK\r\n")


def test_clients_are_served_again_when_others_have_gone(server: MetricsServer) -> None:
    for _ in range(2 * MAX_CLIENTS):
        with connect(server) as client:
            server.accept()
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while client.recv(100):
                pass
            for thread in threading.enumerate():
                if thread.name.startswith("Thread-"):
                    thread.join(TIMEOUT_S)


def test_a_client_that_breaks_off_is_not_worth_a_line(
    server: MetricsServer, capfd: pytest.CaptureFixture[str]
) -> None:
    before = set(threading.enumerate())
    with connect(server) as client:
        server.accept()
        # Closing it is then a reset and no orderly end.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for thread in set(threading.enumerate()) - before:
        thread.join(TIMEOUT_S)
    assert capfd.readouterr() == ("", "")


def test_an_address_of_another_host_is_an_error_that_names_it() -> None:
    with pytest.raises(ReclaimdError, match=r"192\.0\.2\.1:0"):
        MetricsServer(hello, ListenAddress("192.0.2.1", 0))
