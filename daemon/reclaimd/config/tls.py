# SPDX-License-Identifier: GPL-2.0-or-later
"""The files that metrics are served with over TLS."""

import re
import ssl
from pathlib import Path
from typing import NoReturn

from reclaimd.config.models import Tls
from reclaimd.errors import ConfigError, NotPermittedError

_CERTIFICATE = re.compile(rb"-----BEGIN (?:TRUSTED )?CERTIFICATE-----")
_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----")
_ENCRYPTED_KEY = re.compile(rb"-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED", re.MULTILINE)


class TlsError(ConfigError):
    """One of the files cannot be used; `key` is what names it in the configuration."""

    def __init__(self, key: str, message: str, hint: str = "name a PEM file") -> None:
        super().__init__(message, hint=hint)
        self.key = key


def server_context(tls: Tls) -> ssl.SSLContext:
    """Read the files into what connections are served with. What they hold is in no error.

    Raises:
        TlsError: one of them cannot be used.
        NotPermittedError: this process may not read one of them.
    """
    _require(tls.cert, "cert", _CERTIFICATE, "certificate")
    key = _require(tls.key, "key", _KEY, "private key")
    if _ENCRYPTED_KEY.search(key):
        hint = "give the key without a pass phrase, readable only by root"
        raise TlsError("key", f"{tls.key} is encrypted", hint)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(tls.cert, tls.key)
    except ssl.SSLError as error:
        _refuse_pair(tls, error)
    if tls.client_ca:
        _require(tls.client_ca, "client_ca", _CERTIFICATE, "certificate")
        try:
            context.load_verify_locations(tls.client_ca)
        except ssl.SSLError as error:
            raise _unusable(tls.client_ca, "client_ca", error) from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _require(file: Path, key: str, pattern: re.Pattern[bytes], what: str) -> bytes:
    try:
        data = file.read_bytes()
    except PermissionError:
        raise NotPermittedError(f"{file}: permission denied", hint="run as root") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise TlsError(key, f"{file} cannot be read: {reason}") from None
    if not (pattern.search(data) or (key == "key" and _ENCRYPTED_KEY.search(data))):
        raise TlsError(key, f"{file} holds no {what}")
    return data


def _refuse_pair(tls: Tls, error: ssl.SSLError) -> NoReturn:
    if error.reason == "KEY_VALUES_MISMATCH":
        hint = "name the key that the certificate was made for"
        raise TlsError("key", f"{tls.key} is not the key of {tls.cert}", hint) from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(tls.cert)
    except ssl.SSLError:
        raise _unusable(tls.cert, "cert", error) from None
    raise _unusable(tls.key, "key", error) from None


def _unusable(file: Path, key: str, error: ssl.SSLError) -> TlsError:
    reason = (error.reason or "unknown").lower().replace("_", " ")
    return TlsError(key, f"{file} cannot be used: {reason}")
