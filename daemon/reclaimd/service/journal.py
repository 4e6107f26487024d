# SPDX-License-Identifier: GPL-2.0-or-later
"""Log lines as entries of systemd's journal, with a field for each value.

Everything that the daemon logs is of one of the kinds in MESSAGE_IDS: journalctl finds all lines of a kind
by `MESSAGE_ID=`, whatever they say. The ids never change and are not used again.
"""

import os
import select
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from structlog.typing import EventDict

#: kind of line -> MESSAGE_ID; docs/operation.md says what each kind has.
MESSAGE_IDS: Mapping[str, str] = {
    "backend chosen": "9a9e544f07e7448b92be1c3db5a7d1b1",
    "in force": "92714a1ade26454cb17b3d3d48c5c64e",
    "reloaded": "1a414db618204a3e9b961c15d9fdeb74",
    "not reloaded: the configuration in force stays": "711fd080a9284052b0c2d1f104896545",
    "paused": "1758921c73f44f8a85a8fc7207d21978",
    "resumed": "e037cdde8f9a496db32977dc88d4abd2",
    "stopping": "a54c10c92242482cbfb22b881cd26af2",
    "stopped": "0dda92b91d57490f92ff079ce6395a76",
    "rules changed": "ebf33c3d68c243538f902c7314d2e445",
    "rule added": "68fd3569b0694018b826b22e92fff461",
    "rule changed": "d2b08f914fd54cbca4747f4f8a781df3",
    "rule removed": "ce662675a2db4a4d8dac1e47c573635c",
    "the rules in force stay as they are": "b91e8fd765a9412ab467f8787967027c",
    "not permitted": "9d615d2a53c849969a3b74d64ed85887",
    "policy problem": "8873d4d68b5d4581b5beb9ddae0c15c6",
    "episode": "5f464bed7f9e4fa183ddc07918a5db3c",
    "protected": "3bf0477b9f584efd86f298be52f02877",
    "lines left out": "8be2a18da0484021a4fd933444088557",
}

#: structlog's levels -> syslog's.
PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}

#: Where the journal takes entries (sd_journal_sendv(3)).
JOURNAL = Path("/run/systemd/journal/socket")

#: An entry: "FIELD=value" each.
Entry = tuple[str, ...]
Send = Callable[..., object]


def journal_sender(stderr_fd: int) -> Send | None:
    """What sends an entry to the journal, if standard error goes there and systemd's module is installed."""
    if not _is_journal(stderr_fd):
        return None
    try:
        from systemd import journal  # noqa: PLC0415  optional: not everyone runs systemd
    except ImportError:
        return None
    sendv = cast("Send", journal.sendv)

    def send(*fields: str | bytes) -> None:
        wait_for_room()
        sendv(*fields)

    return send


def wait_for_room(path: Path = JOURNAL) -> None:
    """Wait until the journal takes another entry: sendv() would have every thread wait, as it keeps the GIL.

    Raises:
        OSError: nobody is there to take it.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        probe.connect(os.fspath(path))
        poll = select.poll()
        poll.register(probe, select.POLLOUT)
        poll.poll()


def entry(event: EventDict) -> Entry:
    """A log line as an entry: its text in MESSAGE, and each of its values in a field of its own."""
    values = {
        name: value for name, value in event.items() if name not in {"event", "level", "kind", "timestamp"}
    }
    text = str(event["event"])
    fields = {
        "MESSAGE": " ".join([text, *(f"{name}={value}" for name, value in values.items())]),
        "PRIORITY": PRIORITIES[event["level"]],
        "SYSLOG_IDENTIFIER": "reclaimd",
    }
    if message_id := MESSAGE_IDS.get(event.get("kind", text)):
        fields["MESSAGE_ID"] = message_id
    fields |= {name.upper(): value for name, value in values.items()}
    return tuple(f"{name}={value}" for name, value in fields.items())


def _is_journal(fd: int) -> bool:
    """Whether a descriptor is the stream that the service manager has connected to the journal."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    status = os.fstat(fd)
    return (device, inode) == (str(status.st_dev), str(status.st_ino))
