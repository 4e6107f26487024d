# SPDX-License-Identifier: GPL-2.0-or-later
"""The package from its installation to its purge, and that nothing is left then."""

import hashlib
import os
import re
from pathlib import Path

import pytest

from reclaimd import __version__
from reclaimd.kernel.ids import link_ids, map_ids, program_ids
from tests.kernel.cgroups import Cgroup, until
from tests.package import host
from tests.package.host import BATCH, CONFIG, LOAD, PINS, RECLAIMED, UNIT, run, scrape, show, systemctl
from tests.system.load import write_and_read, writing

pytestmark = pytest.mark.bpf_only("rules that are pinned")

#: What the guest has written over its read-only root, and that root.
UPPER, LOWER = Path("/run/upper"), Path("/run/lower")
#: What apt, dpkg and the journal keep for themselves, of whatever package.
KEPT = re.compile(
    r"(var/(log|cache|tmp|lib/apt|lib/dpkg/(status|available|lock|triggers|diversions|updates|info/(?!reclaimd)|alternatives))"
    r"|tmp|root|run|mnt|etc/(passwd|group|shadow|gshadow)-$|etc/\.pwd\.lock|var/lib/systemd/timers)"
)

Snapshot = dict[str, str]


def _files() -> Snapshot:
    """Every file that differs from the root's, with a hash of it."""
    found = {}
    for directory, _, names in os.walk(UPPER):
        for name in names:
            path = Path(directory, name)
            inside = str(path.relative_to(UPPER))
            if not KEPT.match(inside) and _fingerprint(path) != _fingerprint(LOWER / inside):
                found[inside] = _fingerprint(path)
    return found


def _fingerprint(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    if path.is_file():
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return "gone or never there"


def _traces() -> Snapshot:
    """What a host has besides files."""
    return {
        "groups": run("getent", "group").stdout,
        "users": run("getent", "passwd").stdout,
        "loaded": run("systemctl", "list-units", "--all", "--no-legend", "reclaimd*").stdout,
        "pins": "\n".join(sorted(str(path) for path in Path("/sys/fs/bpf").rglob("*"))),
        "cgroups": "\n".join(sorted(str(path) for path in Path("/sys/fs/cgroup").glob("reclaimd*"))),
        "runtime": str(Path("/run/reclaimd").exists()),
        "directories": "\n".join(
            str(path) for path in UPPER.rglob("*reclaimd*") if "var/lib/dpkg" not in str(path)
        ),
    }


def _bpf() -> tuple[frozenset[int], ...]:
    return link_ids(), map_ids(), program_ids()


def _older(tmp_path: Path) -> Path:
    """The same package as version 0.0.1, with other BPF programs and another default configuration."""
    tree, package = tmp_path / "tree", tmp_path / "reclaimd_0.0.1_amd64.deb"
    run("dpkg-deb", "--raw-extract", str(host.deb()), str(tree))
    for file in ("usr/lib/reclaimd/reclaimd.bpf.o", "etc/reclaimd/reclaimd.yaml"):
        with (tree / file).open("ab") as other:
            other.write(b"\n# another build\n")
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*$", "Version: 0.0.1", control.read_text()))
    run("dpkg-deb", "--build", "-Znone", "--root-owner-group", str(tree), str(package))
    return package


def _purge() -> None:
    run("dpkg", "--purge", "reclaimd")


@pytest.fixture
def bare(leaf: Cgroup) -> None:  # noqa: ARG001  is there before and after
    """A host without the package."""
    if host.is_installed():
        _purge()


@pytest.mark.usefixtures("bare")
def test_install_upgrade_and_purge_leave_nothing(tmp_path: Path, leaf: Cgroup, disk: Path) -> None:
    files, traces, bpf = _files(), _traces(), _bpf()

    host.install(_older(tmp_path))
    assert (show("ActiveState"), show("UnitFileState")) == ("active", "enabled")
    assert show("StatusText").startswith("Policies: 0,")
    CONFIG.write_text(BATCH)
    systemctl("reload", UNIT)
    write_and_read(leaf, disk, 64)
    counted = scrape().value(RECLAIMED, cgroup=LOAD)
    at_the_limit = leaf.keyed("memory.events")["max"]

    # A changed configuration survives an upgrade, and the new version governs by it, without a gap, and counts on.
    with writing(leaf, disk, 64):
        host.install(host.deb())
        assert CONFIG.read_text() == BATCH
        assert run("reclaimd", "--version").stdout == f"reclaimd {__version__}\n"
        assert show("ActiveState") == "active"
        assert show("StatusText").startswith("Policies: 1, cgroups with a rule: 1")
        assert scrape().value(RECLAIMED, cgroup=LOAD) > counted > 0
    assert leaf.keyed("memory.events")["max"] == at_the_limit

    # Whatever a crash has left is gone, too.
    systemctl("kill", "--kill-whom=main", "--signal=KILL", UNIT)
    _purge()
    assert _files() == files
    assert _traces() == traces
    for _ in until():
        if not any(after - before for after, before in zip(_bpf(), bpf, strict=True)):
            break


@pytest.mark.usefixtures("governed")
def test_stopped_it_leaves_nothing_in_the_kernel() -> None:
    systemctl("stop", UNIT)
    assert not PINS.exists()
    assert not Path("/run/reclaimd").exists()
    assert show("Result") == "success"
