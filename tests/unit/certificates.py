# SPDX-License-Identifier: GPL-2.0-or-later
"""Certificates for tests, made by openssl."""

import subprocess
from pathlib import Path


class Authority:
    """A certificate authority in a directory."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self._directory = directory
        self.cert = directory / f"{name}.pem"
        self._key = directory / f"{name}.key"
        _openssl(
            *("req", "-x509", "-days", "2", "-subj", f"/CN={name}"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"),
            *("-keyout", str(self._key), "-out", str(self.cert)),
        )

    def issue(self, name: str) -> tuple[Path, Path]:
        """Make a certificate for 127.0.0.1 and its key; overwrites those of the same name."""
        cert, key = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        _openssl(
            *("req", "-x509", "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-addext", "basicConstraints=critical,CA:FALSE"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"),
            *("-CA", str(self.cert), "-CAkey", str(self._key)),
            *("-keyout", str(key), "-out", str(cert)),
        )
        return cert, key


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
