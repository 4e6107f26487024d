# SPDX-License-Identifier: GPL-2.0-or-later
"""Serves pages over HTTP or HTTPS: the loop takes connections, a thread for each of them answers."""

import errno
import ipaddress
import socket
import socketserver
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, cast
from wsgiref.simple_server import WSGIRequestHandler

from prometheus_client.exposition import ThreadingWSGIServer

from reclaimd.config.listen import ListenAddress
from reclaimd.errors import NotPermittedError, ReclaimdError
from reclaimd.service.certificates import Certificates

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

#: More connections at a time than all Prometheus servers and people that look have; each is a thread.
MAX_CLIENTS = 64

#: How long a client may keep a thread waiting for its request, or for its reading of the answer.
CLIENT_TIMEOUT_S = 30


class MetricsServer:
    """Listens from its making to close(); whoever waits on fileno() calls accept().

    Args:
        pages: answers requests.
        listen: where to; any free port for port 0.
        certificates: what connections are encrypted with; None for plain HTTP.
        refused: called for each connection that is closed because there are MAX_CLIENTS already.
        beside: one whose port it may have too, on another address that includes that one's or is included.

    Raises:
        NotPermittedError: the port is for privileged programs.
        ReclaimdError: the address cannot be had, as when another program listens there.
    """

    def __init__(
        self,
        pages: "WSGIApplication",
        listen: ListenAddress,
        certificates: Certificates | None = None,
        refused: Callable[[], None] = lambda: None,
        beside: Self | None = None,
    ) -> None:
        kind = _Server6 if ipaddress.ip_address(listen.host).version == 6 else _Server
        try:
            self._server: _Server = kind((listen.host, listen.port), beside.socket if beside else None)
        except OSError as error:
            raise _listen_error(error, listen) from error
        self._server.refused = refused
        self.address = ListenAddress(listen.host, self._server.server_port)
        self.change(pages, certificates)

    @property
    def socket(self) -> socket.socket:
        """What it listens on."""
        return self._server.socket

    def change(self, pages: "WSGIApplication", certificates: Certificates | None) -> None:
        """Answer by other pages and with other certificates from now on, on the same address."""
        self._server.set_app(pages)
        self._server.certificates = certificates

    def fileno(self) -> int:
        """Return the fd that is readable when a connection waits."""
        return self._server.fileno()

    def accept(self) -> None:
        """Give the connection that waits, if there is one, to a thread of its own; never blocks."""
        self._server.handle_request()

    def close(self) -> None:
        """Stop listening; scrapes that are being answered may end after this returns."""
        self._server.server_close()


class _Server(ThreadingWSGIServer):
    # Of handle_request(): a client that has already given up must not make the loop wait for the next.
    timeout = 0
    certificates: Certificates | None = None
    refused: Callable[[], None]

    def __init__(self, address: tuple[str, int], beside: socket.socket | None) -> None:
        self._free = threading.BoundedSemaphore(MAX_CLIENTS)
        if beside:
            # SO_REUSEPORT (socket(7)) on either: their addresses may include each other's.
            self.allow_reuse_port = True
            beside.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        super().__init__(address, _QuietHandler)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  socketserver's signature
        """Start a thread for a connection, or close it."""
        if self._free.acquire(blocking=False):
            try:
                super().process_request(request, client_address)
            except RuntimeError:  # no thread can be started
                self._free.release()
                self._refuse(request)
        else:
            self._refuse(request)

    def _refuse(self, request: Any) -> None:  # noqa: ANN401  socketserver's signature
        self.refused()
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  socketserver's signature
        """Answer a request, in its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def server_bind(self) -> None:
        # Not http.server's way, which asks a resolver for the host's name and so may wait for a network.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = cast("tuple[str, int]", self.server_address[:2])
        self.setup_environ()

    def finish_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  socketserver's signature
        """Answer a request; in the thread that is its own, as a handshake takes what time the client takes."""
        if self.certificates is None:
            return super().finish_request(request, client_address)
        request.settimeout(CLIENT_TIMEOUT_S)
        with self.certificates.context().wrap_socket(request, server_side=True) as encrypted:
            super().finish_request(encrypted, client_address)
        return None

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  socketserver's signature
        """Say nothing of a client that breaks off, stalls or fails to shake hands; its connection is closed."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Server6(_Server):
    address_family = socket.AF_INET6


class _QuietHandler(WSGIRequestHandler):
    timeout = CLIENT_TIMEOUT_S

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401  http.server's signature
        """Say nothing: that a scrape came is no news."""


def _listen_error(error: OSError, listen: ListenAddress) -> ReclaimdError:
    if error.errno == errno.EADDRINUSE:
        hint = "end the program that listens there, or set metrics.listen to another port"
        return ReclaimdError(f"cannot serve metrics on {listen}: the port is in use", hint=hint)
    kind = NotPermittedError if isinstance(error, PermissionError) else ReclaimdError
    reason = error.strerror or error
    return kind(f"cannot serve metrics on {listen}: {reason}", hint="set metrics.listen to another address")
