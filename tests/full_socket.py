# SPDX-License-Identifier: GPL-2.0-or-later
"""A datagram socket whose reader is behind."""

import os
import socket
from contextlib import suppress
from pathlib import Path


def fill(path: Path) -> None:
    """Leave no room for another message, as the journal's are, in the queue of the socket at path."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.settimeout(0)
        with suppress(BlockingIOError):
            while True:
                sender.sendto(b"MESSAGE=of no interest\n", os.fspath(path))
