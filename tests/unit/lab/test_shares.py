# SPDX-License-Identifier: GPL-2.0-or-later
"""Who serves the guest its shares."""

from pathlib import Path

from tests.lab.shares import Share, Sharing, served, virtiofsd

ROOTFS = Path("/cache/rootfs")
SHARED = [Share("root", ROOTFS, readonly=True), Share("checkout", Path("/checkout"), readonly=False)]


def test_9p_needs_no_server(tmp_path: Path) -> None:
    with served(Sharing.PLAN9, SHARED, ROOTFS, tmp_path / "log") as connections:
        assert connections == {}
    assert not list(tmp_path.iterdir())


def test_virtiofsd_and_its_libraries_are_those_of_the_root() -> None:
    command = virtiofsd(ROOTFS, SHARED[1], 5)
    assert {str(ROOTFS / "usr/libexec/virtiofsd"), "--fd=5", "--shared-dir=/checkout"} <= set(command)
    assert command[command.index("--library-path") + 1].startswith(str(ROOTFS))


def test_only_the_root_is_read_only_and_cached_for_good() -> None:
    root, checkout = (set(virtiofsd(ROOTFS, share, 5)) for share in SHARED)
    assert root - checkout >= {"--readonly", "--cache=always"}
