# SPDX-License-Identifier: GPL-2.0-or-later
"""The frames that host and guest exchange over the virtio-serial port; both sides use this module.

A frame is its kind (one byte), the length of its payload (four bytes, big endian) and the payload.
"""

import json
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

PORT_NAME = "reclaimd.lab"
HEARTBEAT_S = 2.0
HEADER = struct.Struct("!BI")
MAX_PAYLOAD_BYTES = 16 << 20


class Kind(IntEnum):
    """What a frame carries; RUN goes to the guest, all others come from it."""

    RUN = 1
    """JSON of `Command`."""
    READY = 2
    """The guest has booted and waits for a RUN; the kernel's release."""
    HEARTBEAT = 3
    STDOUT = 4
    STDERR = 5
    REPORT = 6
    """One line that the command wrote to its report pipe."""
    COMPLAINT = 7
    """JSON of `Complaint`: the kernel log has something that must not be there."""
    EXIT = 8
    """The command has ended; its status as text, and no frame of it follows."""


KINDS = frozenset(int(kind) for kind in Kind)


@dataclass(frozen=True)
class Frame:
    """One message."""

    kind: Kind
    payload: bytes

    @property
    def text(self) -> str:
        """The payload as text."""
        return self.payload.decode("utf-8", errors="replace")


@dataclass(frozen=True)
class Command:
    """What the guest is to run; `environment` comes on top of the guest's own."""

    argv: tuple[str, ...]
    cwd: str
    environment: dict[str, str]


@dataclass(frozen=True)
class Complaint:
    """An excerpt of the kernel log, and the sequence number of its first record."""

    sequence: int
    text: str

    @property
    def title(self) -> str:
        """The line that it begins with."""
        return self.text.partition("\n")[0]


class ProtocolError(Exception):
    """The bytes that came over the port are no frames."""


def encode(kind: Kind, payload: bytes = b"") -> bytes:
    """A frame as bytes."""
    return HEADER.pack(kind, len(payload)) + payload


def as_json(value: Command | Complaint) -> bytes:
    """The payload that carries `value`."""
    return json.dumps(vars(value)).encode()


def command_from_json(payload: bytes) -> Command:
    """The payload of a RUN frame."""
    fields: dict[str, Any] = json.loads(payload)
    return Command(tuple(fields["argv"]), fields["cwd"], fields["environment"])


def complaint_from_json(payload: bytes) -> Complaint:
    """The payload of a COMPLAINT frame."""
    fields: dict[str, Any] = json.loads(payload)
    return Complaint(fields["sequence"], fields["text"])


class Decoder:
    """Turns the bytes of a port, in whatever pieces they come, into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes; raises ProtocolError when it is none."""
        self._buffer += data
        frames = []
        while len(self._buffer) >= HEADER.size:
            kind, length = HEADER.unpack_from(self._buffer)
            if kind not in KINDS or length > MAX_PAYLOAD_BYTES:
                raise ProtocolError(f"a frame of kind {kind} and {length} bytes came over the port")
            end = HEADER.size + length
            if len(self._buffer) < end:
                break
            frames.append(Frame(Kind(kind), bytes(self._buffer[HEADER.size : end])))
            del self._buffer[:end]
        return frames
