# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the package share: the package installed, its unit as it was shipped, a slice to govern."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.cgroups import ROOT, Cgroup
from tests.package import host
from tests.package.host import BATCH, CONFIG, UNIT, run, show, systemctl, with_settings

LEAF = "load.service"
GOVERNED = "Policies: 1, cgroups with a rule: 1"


@pytest.fixture
def installed() -> None:
    """The package is installed, and its unit runs as it was shipped."""
    if not host.is_installed():
        host.install(host.deb())
    with_settings()
    if show("ActiveState") != "active":
        run("systemctl", "reset-failed", UNIT, check=False)
        systemctl("start", UNIT)


@pytest.fixture(scope="session")
def leaf() -> Iterator[Cgroup]:
    """The cgroup /batch.slice/load.service of 32 MiB, made by systemd."""
    limits = ("--property=MemoryMax=32M", "--property=MemorySwapMax=0")
    run("systemd-run", "--slice=batch.slice", f"--unit={LEAF}", *limits, "sleep", "infinity")
    yield Cgroup(ROOT / "batch.slice" / LEAF)
    systemctl("stop", LEAF, "batch.slice")


@pytest.fixture
def governed(installed: None, leaf: Cgroup) -> Cgroup:  # noqa: ARG001  comes first
    """The leaf, with a rule by the policies of BATCH."""
    if CONFIG.read_text() != BATCH or not show("StatusText").startswith(GOVERNED):
        CONFIG.write_text(BATCH)
        systemctl("restart", UNIT)
    host.wait_for("StatusText", GOVERNED)
    return leaf


@pytest.fixture
def disk() -> Iterator[Path]:
    """A file on a real disk."""
    path = Path(os.environ["RECLAIMD_LAB_DISK"]) / "package"
    yield path
    path.unlink(missing_ok=True)
