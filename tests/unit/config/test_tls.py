# SPDX-License-Identifier: GPL-2.0-or-later
"""Files for TLS that cannot be used are refused where they are named."""

import os
import subprocess
from pathlib import Path

import pytest

from reclaimd.config import load_config
from reclaimd.config.problem import InvalidConfigError
from reclaimd.errors import NotPermittedError
from tests.unit.certificates import Authority

TEXT = """\
policies: []
metrics:
  tls:
    cert: {cert}
    key: {key}
    client_ca: {client_ca}
"""

Files = dict[str, Path]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Files that can be used."""
    authority = Authority(tmp_path)
    cert, key = authority.issue("server")
    return {"cert": cert, "key": key, "client_ca": authority.cert}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the configuration goes."""
    return tmp_path / "reclaimd.yaml"


def problem(path: Path, files: Files) -> str:
    """Load the configuration with these files; return what is wrong with it."""
    path.write_text(TEXT.format(**files))
    with pytest.raises(InvalidConfigError) as error:
        load_config(path)
    return str(error.value)


def test_files_that_fit_are_taken(path: Path, files: Files) -> None:
    path.write_text(TEXT.format(**files))
    tls = load_config(path).config.metrics.tls
    assert tls is not None
    assert tls.model_dump() == files


@pytest.mark.parametrize(("name", "line", "column"), [("cert", 4, 11), ("key", 5, 10), ("client_ca", 6, 16)])
def test_a_file_that_is_missing_is_refused_in_its_place(
    path: Path, files: Files, name: str, line: int, column: int
) -> None:
    files[name] = path.with_name("missing")
    text = problem(path, files)
    assert text.startswith(f"{path}:{line}:{column}: metrics.tls.{name}: ")
    assert "No such file" in text


@pytest.mark.parametrize(
    ("name", "what"), [("cert", "certificate"), ("key", "private key"), ("client_ca", "certificate")]
)
def test_a_file_that_holds_something_else_is_refused(path: Path, files: Files, name: str, what: str) -> None:
    files[name].write_text("hello")
    assert f"{files[name]} holds no {what}" in problem(path, files)


@pytest.mark.parametrize(
    ("name", "label"), [("cert", "CERTIFICATE"), ("key", "PRIVATE KEY"), ("client_ca", "CERTIFICATE")]
)
def test_a_broken_file_is_refused(path: Path, files: Files, name: str, label: str) -> None:
    files[name].write_text(f"-----BEGIN {label}-----\naGVsbG8=\n-----END {label}-----\n")
    text = problem(path, files)
    assert f"metrics.tls.{name}: {files[name]} cannot be used" in text
    assert "aGVsbG8" not in text


def test_a_key_of_another_certificate_is_refused(path: Path, files: Files, tmp_path: Path) -> None:
    _, files["key"] = Authority(tmp_path, "other").issue("another")
    text = problem(path, files)
    assert text.startswith(f"{path}:5:10: ")
    assert "is not the key of" in text


def test_an_encrypted_key_is_refused_and_nobody_asked_for_its_phrase(path: Path, files: Files) -> None:
    encrypted = path.with_name("encrypted.key")
    subprocess.run(
        ["openssl", "pkcs8", "-topk8", "-in", files["key"], "-out", encrypted, "-passout", "pass:x"],
        check=True,
    )
    files["key"] = encrypted
    assert "is encrypted" in problem(path, files)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_another_matter(path: Path, files: Files) -> None:
    files["key"].chmod(0)
    path.write_text(TEXT.format(**files))
    with pytest.raises(NotPermittedError, match="permission denied"):
        load_config(path)


@pytest.mark.parametrize("value", ["server.pem", "7", "[]", ""])
def test_what_is_no_path_is_refused(path: Path, files: Files, value: str) -> None:
    path.write_text(TEXT.format(**{**files, "cert": value}))
    with pytest.raises(InvalidConfigError, match=r":4:\d+: metrics.tls.cert: "):
        load_config(path)


@pytest.mark.parametrize("value", ["-1", "16385", "many", "1.5", "true", "[]"])
def test_what_is_no_number_of_cgroups_is_refused(path: Path, value: str) -> None:
    path.write_text(f"policies: []\nmetrics: {{max_cgroups: {value}}}\n")
    with pytest.raises(InvalidConfigError, match="is no number of cgroups"):
        load_config(path)
