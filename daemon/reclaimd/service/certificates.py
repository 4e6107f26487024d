# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates in use, read again when their files have changed."""

import ssl
import threading
from pathlib import Path

from reclaimd.config.models import Metrics, Tls
from reclaimd.config.tls import TlsError, server_context
from reclaimd.errors import NotPermittedError
from reclaimd.service.incidents import Incident, Incidents

_Signature = tuple[tuple[int, int, int] | None, ...]


class Certificates:
    """What connections are encrypted with; context() may be called from any thread.

    Args:
        tls: the files.
        incidents: what takes note of files that cannot be used any more.

    Raises:
        TlsError, NotPermittedError: they cannot be used.
    """

    def __init__(self, tls: Tls, incidents: Incidents) -> None:
        self._tls = tls
        self._incidents = incidents
        self._lock = threading.Lock()
        # Taken before the files are read: what changes meanwhile is read again.
        self._signature = self._sign()
        self._context = server_context(tls)

    def context(self) -> ssl.SSLContext:
        """Return what the files hold, or what they last held that can be used."""
        with self._lock:
            signature = self._sign()
            if signature != self._signature:
                self._signature = signature
                try:
                    self._context = server_context(self._tls)
                except (TlsError, NotPermittedError):
                    # It may be one half of a pair of which the other half is still to come.
                    self._incidents.note(Incident.CERTIFICATES)
            return self._context

    def _sign(self) -> _Signature:
        files = (self._tls.cert, self._tls.key, self._tls.client_ca)
        return tuple(_signature(file) for file in files if file)


def certificates_of(metrics: Metrics, incidents: Incidents) -> Certificates | None:
    """Return the certificates to serve metrics with, None for plain HTTP; raises as Certificates does."""
    return Certificates(metrics.tls, incidents) if metrics.tls else None


def _signature(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
