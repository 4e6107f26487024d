# SPDX-License-Identifier: GPL-2.0-or-later
"""One connection: what came in, the call that is being answered, and what is to go out.

Replies are made no faster than they are read, so that neither direction ever holds more than a message and what
the kernel buffers; and a little in each turn of the loop, so that no client keeps others waiting.
"""

import select
import socket
import struct
from collections.abc import Iterator

from varlink import Service

from reclaimd.service.control.call import Call
from reclaimd.service.control.message import END, MAX_MESSAGE_BYTES, NotVarlinkError, check_call

READ_BYTES = 1 << 12
#: What is made of replies in one turn.
TURN_BYTES = 1 << 16

_UCRED = struct.Struct("3i")


class Gone(Exception):  # noqa: N818  no error: it is how every connection ends
    """The client has closed the connection, or is not worth another word."""


class Client:
    """A connection and the call on it; Varlink allows one at a time.

    Args:
        connection: non-blocking; closed by close().
        service: answers calls.
    """

    def __init__(self, connection: socket.socket, service: Service) -> None:
        self._connection = connection
        self._service = service
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        self._peer_uid: int = _UCRED.unpack(credentials)[1]
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._call = Call(self._peer_uid)
        self._replies: Iterator[bytes] | None = None
        self._at_end = False

    @property
    def is_busy(self) -> bool:
        """Whether a call is being answered."""
        return self._replies is not None or bool(self._outgoing)

    def fileno(self) -> int:
        """Return the connection's descriptor."""
        return self._connection.fileno()

    def interest(self) -> int:
        """Return what to wait for, in epoll's terms."""
        reads = select.EPOLLIN if not self._at_end and len(self._incoming) <= MAX_MESSAGE_BYTES else 0
        return reads | (select.EPOLLOUT if self._outgoing or self._can_go_on() else 0)

    def turn(self, ready: int = 0) -> bool:
        """Read, answer and write what can be at once, but not more than is fair.

        Args:
            ready: what epoll says of the connection.

        Returns:
            Whether a call came or some of a reply went.

        Raises:
            Gone: the connection is of no more use.
        """
        if ready & select.EPOLLERR:
            raise Gone
        try:
            if ready & select.EPOLLIN:
                self._read()
            progress = self._answer()
        except OSError as error:
            raise Gone from error
        # Not before its calls are answered: who wants no answer may go at once.
        if ready & select.EPOLLHUP or (self._at_end and not self.is_busy):
            raise Gone
        return progress

    def close(self) -> None:
        """Close the connection."""
        self._replies = None
        self._connection.close()

    def _can_go_on(self) -> bool:
        return self._call.is_ready() if self._replies else END in self._incoming

    def _read(self) -> None:
        if data := self._connection.recv(READ_BYTES):
            self._incoming += data
        else:
            self._at_end = True

    def _answer(self) -> bool:
        progress = self._flush()
        made_bytes = 0
        while not self._outgoing and made_bytes < TURN_BYTES:
            if self._replies is None:
                # One call in each turn: what it costs is not known beforehand.
                if made_bytes or not self._start_call():
                    break
                progress = True
            if not self._call.is_ready():
                break
            made_bytes += self._make_reply()
            progress = self._flush() or progress
        return progress

    def _start_call(self) -> bool:
        message, end, rest = self._incoming.partition(END)
        if len(message) > MAX_MESSAGE_BYTES:
            raise Gone
        if not end:
            return False
        try:
            wants_replies = check_call(bytes(message))
        except NotVarlinkError as error:
            raise Gone from error
        self._incoming = rest
        self._call = Call(self._peer_uid)
        replies = self._service.handle(bytes(message), _request=self._call)
        if wants_replies:
            self._replies = replies
        else:
            next(replies, None)
        return True

    def _make_reply(self) -> int:
        """Make the next reply, and return how long it is; at least 1, for the work."""
        reply = next(self._replies, None) if self._replies else None
        if reply is None:
            self._replies = None
        elif not self._call.take_unsaid():
            self._outgoing += reply + END
            return len(reply)
        return 1

    def _flush(self) -> bool:
        sent_bytes = 0
        while self._outgoing:
            try:
                sent = self._connection.send(self._outgoing)
            except BlockingIOError:
                break
            del self._outgoing[:sent]
            sent_bytes += sent
        return bool(sent_bytes)
