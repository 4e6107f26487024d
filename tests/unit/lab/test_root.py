# SPDX-License-Identifier: GPL-2.0-or-later
"""What the Debian root is made of."""

from pathlib import Path

import pytest

from tests.lab.errors import LabError
from tests.lab.root import packages, source_version

STATUS = """Package: linux-config-7.3
Version: 9.9-9

Package: linux-source-7.3
Status: install ok installed
Version: 7.3.4-1~bpo13+1

Package: make
Version: 4.4
"""


def _root(tmp_path: Path, status: str) -> Path:
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_text(status)
    return tmp_path


def test_source_version_is_that_of_its_own_package(tmp_path: Path) -> None:
    assert source_version(_root(tmp_path, STATUS)) == "7.3.4-1~bpo13+1"


def test_root_without_the_kernel_source_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="is not installed"):
        source_version(_root(tmp_path, "Package: make\nVersion: 4.4\n"))


def test_package_list_has_names_only() -> None:
    assert all(name and name == name.split()[0] and "#" not in name for name in packages())
