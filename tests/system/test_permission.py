# SPDX-License-Identifier: GPL-2.0-or-later
"""A daemon that may write to some cgroups and not to others: in a delegated subtree, or without capabilities."""

import os
from pathlib import Path

import pytest

from tests.kernel.cgroups import Cgroup
from tests.system.daemon import Daemon
from tests.system.load import limited, path_of, write_and_read

pytestmark = pytest.mark.stock_only

NOBODY = 65534
DELEGATED = """\
policies:
  - name: batch
    match: /batch/*
    reclaim: {start: 24MiB, stop: 22MiB}
"""


def _give(cgroup: Cgroup, user: int) -> None:
    """Delegate a cgroup as systemd does."""
    os.chown(cgroup.path, user, user)
    for name in Path("/sys/kernel/cgroup/delegate").read_text().split():
        if (cgroup.path / name).exists():
            os.chown(cgroup.path / name, user, user)


@pytest.fixture
def mine_and_theirs(batch: Cgroup, tmp_path: Path) -> tuple[Cgroup, Cgroup]:
    """Two cgroups, the first of which is nobody's, who may write where the daemon's files are."""
    mine, theirs = limited(batch, "mine", 32), limited(batch, "theirs", 32)
    _give(mine, NOBODY)
    # Root without capabilities has no more rights to a file than others.
    tmp_path.chmod(0o777)
    for directory in tmp_path.parents:
        directory.chmod(directory.stat().st_mode | 0o011)
    return mine, theirs


def _only_one_is_governed(daemon: Daemon, governed: Cgroup, other: Cgroup, disk: Path) -> None:
    daemon.wait_for("in force")
    assert [line["cgroup"] for line in daemon.lines("not permitted")] == [path_of(other)]
    assert daemon.scrape().cgroups() == {path_of(governed)}
    for leaf in (other, governed):
        write_and_read(leaf, disk / leaf.path.name, 40)
    daemon.wait_for("episode", cgroup=path_of(governed))
    assert other.keyed("memory.stat")["pgscan"] > 0, "by itself"
    assert daemon.stop() == 0


def test_without_root_it_governs_what_was_delegated_and_says_what_it_may_not(
    mine_and_theirs: tuple[Cgroup, Cgroup], disk: Path, config: Path
) -> None:
    mine, theirs = mine_and_theirs
    user = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    with Daemon(config, DELEGATED, prefix=user) as daemon:
        _only_one_is_governed(daemon, mine, theirs, disk)


def test_without_capabilities_root_may_not_reclaim_from_what_belongs_to_another_user(
    mine_and_theirs: tuple[Cgroup, Cgroup], disk: Path, config: Path
) -> None:
    theirs, ours = mine_and_theirs
    with Daemon(config, DELEGATED, prefix=("setpriv", "--bounding-set=-all", "--inh-caps=-all")) as daemon:
        _only_one_is_governed(daemon, ours, theirs, disk)
