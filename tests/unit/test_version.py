# SPDX-License-Identifier: GPL-2.0-or-later
"""The number of the version, and what is needed, is the same wherever it has to be written."""

import re
import tomllib
from pathlib import Path

import pytest

from reclaimd import __version__

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGING = CHECKOUT / "packaging"
#: What distributions call the projects that the daemon depends on.
PROJECTS = ("prometheus-client", "pydantic", "structlog", "varlink")


def _text(path: str) -> str:
    return (PACKAGING / path).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "pattern"),
    [("debian/changelog", r"\Areclaimd \(([^)]+)\)"), ("rpm/reclaimd.spec", r"(?m)^Version: (\S+)$")],
)
def test_version_is_that_of_the_daemon(file: str, pattern: str) -> None:
    found = re.search(pattern, _text(file))
    assert found
    assert found[1] == __version__


@pytest.mark.parametrize("project", PROJECTS)
def test_packages_need_what_the_daemon_needs(project: str) -> None:
    metadata = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (floor,) = [
        re.sub(r"^[^>]*>=([\d.]+).*", r"\1", dependency)
        for dependency in metadata["dependencies"]
        if dependency.startswith(project)
    ]
    assert f" python3-{project} (>= {floor}),\n" in _text("debian/control")
    assert f"Requires: python3-{project.replace('-', '_')} >= {floor}\n" in _text("rpm/reclaimd.spec")
