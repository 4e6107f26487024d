# SPDX-License-Identifier: GPL-2.0-or-later
"""Varlink by hand, as a client that need not keep to it."""

import json
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

TIMEOUT_S = 20.0

Reply = dict[str, Any]


@contextmanager
def room_for(descriptors: int) -> Iterator[None]:
    """Let this process have so many open files, as far as its hard limit allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = descriptors if hard == resource.RLIM_INFINITY else min(descriptors, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Peer:
    """A connection to a daemon; a context manager that ends it."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Blocking, so that it waits for its turn where many connect.
        self._socket.connect(os.fspath(path))
        self._socket.settimeout(TIMEOUT_S)
        self._unread = b""

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(data)

    def ask(self, method: str, parameters: Reply | None = None, **flags: bool) -> None:
        """Send a call; a method without interface is one of ours."""
        name = method if "." in method else f"io.reclaimd.{method}"
        self.send(json.dumps({"method": name, "parameters": parameters or {}, **flags}).encode() + b"\0")

    def reply(self) -> Reply:
        """Return the next message."""
        while b"\0" not in self._unread:
            data = self._socket.recv(1 << 16)
            assert data, "the daemon has closed the connection"
            self._unread += data
        message, _, self._unread = self._unread.partition(b"\0")
        reply: Reply = json.loads(message)
        return reply

    def call(self, method: str, parameters: Reply | None = None) -> Reply:
        """Call a method; return its parameters, or its error's name and parameters."""
        self.ask(method, parameters)
        reply = self.reply()
        return reply if "error" in reply else reply["parameters"]

    def call_more(self, method: str, parameters: Reply | None = None) -> Iterator[Reply]:
        """Call a method that replies more than once; yield its replies' parameters."""
        self.ask(method, parameters, more=True)
        continues = True
        while continues:
            reply = self.reply()
            continues = reply.get("continues", False)
            yield reply["parameters"]

    def is_closed(self) -> bool:
        """Wait for the daemon's end of the connection; whether it is closed rather than read from."""
        try:
            return self._socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
