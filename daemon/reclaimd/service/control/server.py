# SPDX-License-Identifier: GPL-2.0-or-later
"""The control socket and its clients, as one thing for the daemon's loop to wait for.

All of them are in one epoll instance. Idle clients cost nothing; of those that there is no room for, the one goes
that has been of no use for longest.
"""

import select
import socket
from contextlib import suppress
from pathlib import Path

from varlink import Service

from reclaimd import __version__
from reclaimd.service.control.address import ControlSocket
from reclaimd.service.control.client import Client, Gone
from reclaimd.service.control.interface import Interface

MAX_CLIENTS = 64
#: How many clients are let in and listened to in one turn of the loop.
MAX_ACCEPTS = 16
MAX_READY = 16


class ControlServer:
    """Answers Varlink calls on a socket; whoever waits on fileno() calls turn().

    Args:
        listener: where clients come from; stays the caller's to close.
    """

    def __init__(self, listener: ControlSocket) -> None:
        self._listener = listener
        self._service = Service(
            vendor="reclaimd",
            product="reclaimd",
            version=__version__,
            interface_dir=str(Path(__file__).parent),
        )
        self._epoll = select.epoll()
        self._epoll.register(listener.fileno(), select.EPOLLIN)
        # In the order in which they last made progress; with what epoll waits for.
        self._clients: dict[int, tuple[Client, int]] = {}
        self.dropped_clients = 0

    def offer(self, interface: Interface) -> None:
        """Answer calls of io.reclaimd; before the first turn()."""
        self._service.interface("io.reclaimd")(lambda: interface)

    def fileno(self) -> int:
        """Return the fd that is readable when there is something to do."""
        return self._epoll.fileno()

    def turn(self) -> None:
        """Let clients in, and do a little for each that has something to be done; never blocks."""
        self._epoll.modify(self._listener.fileno(), select.EPOLLIN)
        ready = dict(self._epoll.poll(0, MAX_READY))
        if ready.pop(self._listener.fileno(), 0):
            self._accept()
        for fd, events in ready.items():
            if fd in self._clients:
                self._serve(fd, events)
        # Events have come for those that follow them.
        for fd in [fd for fd, (client, _) in self._clients.items() if client.is_busy and fd not in ready]:
            self._serve(fd, 0)

    def close(self) -> None:
        """Close all connections."""
        for fd in list(self._clients):
            self._close(fd)
        self._epoll.close()

    def _serve(self, fd: int, ready: int) -> None:
        client, waits_for = self._clients[fd]
        try:
            progress = client.turn(ready)
        except Gone:
            self._close(fd)
            return
        interest = client.interest()
        if interest != waits_for:
            self._epoll.modify(fd, interest)
        if progress:
            del self._clients[fd]
        self._clients[fd] = (client, interest)

    def _accept(self) -> None:
        for _ in range(MAX_ACCEPTS):
            try:
                connection = self._listener.accept()
            except BlockingIOError:
                return
            except OSError:
                # Out of descriptors or memory. Whoever waits has to go on with it, but not to wake the loop at once.
                self._drop()
                self._epoll.modify(self._listener.fileno(), 0)
                return
            self._add(connection)

    def _add(self, connection: socket.socket) -> None:
        if len(self._clients) >= MAX_CLIENTS:
            self._drop()
        try:
            client = Client(connection, self._service)
        except OSError:
            connection.close()
            return
        self._epoll.register(client.fileno(), client.interest())
        self._clients[client.fileno()] = (client, client.interest())

    def _drop(self) -> None:
        """Close the connection that has been of no use for longest."""
        idle = (fd for fd, (client, _) in self._clients.items() if not client.is_busy)
        fd = next(idle, next(iter(self._clients), None))
        if fd is not None:
            self.dropped_clients += 1
            self._close(fd)

    def _close(self, fd: int) -> None:
        client, _ = self._clients.pop(fd)
        with suppress(OSError):
            self._epoll.unregister(fd)
        client.close()
