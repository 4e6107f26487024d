# SPDX-License-Identifier: GPL-2.0-or-later
"""What went wrong while the daemon ran: how often, and when last."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Incident(StrEnum):
    """A kind of error.

    RELOAD: a configuration was not put in force. APPLY: rules for cgroups that have come, gone or changed were
    not. CERTIFICATES: files for TLS that have changed cannot be used. CLIENTS: a connection to the metrics was closed,
    for there were too many.
    """

    RELOAD = "reload"
    APPLY = "apply"
    CERTIFICATES = "certificates"
    CLIENTS = "clients"


@dataclass(frozen=True, slots=True)
class Occurrences:
    """How often, and when last in seconds since 1970; None for never."""

    number: int = 0
    last_at: float | None = None


class Incidents:
    """Counts incidents; every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._occurrences = dict.fromkeys(Incident, Occurrences())

    def note(self, kind: Incident) -> None:
        """One has happened, now."""
        with self._lock:
            self._occurrences[kind] = Occurrences(self._occurrences[kind].number + 1, time.time())

    def so_far(self) -> Mapping[Incident, Occurrences]:
        """Return what has happened of each kind."""
        with self._lock:
            return dict(self._occurrences)
