# SPDX-License-Identifier: GPL-2.0-or-later
"""A thousand cgroups at once: how soon they are governed, and what is left of them."""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.kernel.cgroups import Cgroup, until
from tests.system.conftest import StartDaemon
from tests.system.entries import cgroups_in
from tests.system.load import MIB

CGROUPS = 1000
GOVERNED_WITHIN_S = 5.0
#: For a daemon that starts, or that is left a thousand removals to follow, on a busy host.
PATIENCE_S = 120.0
MAPS = ("rules", "states")
POLICY = """\
policies:
  - name: batch
    match: /batch/*
    reclaim: {start: 75%, stop: 50%}
    back_pressure: {start: 90%, max_delay: 100ms}
"""


@pytest.fixture
def thousand(batch: Cgroup) -> Iterator[Callable[[], set[int]]]:
    """Makes the cgroups /batch/0 to /batch/999, each with a limit, and returns their ids."""

    def make() -> set[int]:
        ids = set()
        for number in range(CGROUPS):
            leaf = Cgroup.make(batch.path / str(number))
            leaf.write("memory.max", str(32 * MIB))
            ids.add(leaf.cgroup_id)
        return ids

    yield make
    _remove_all(batch)


def test_a_thousand_new_cgroups_are_governed_in_time_and_leave_nothing_in_the_maps(
    batch: Cgroup, start: StartDaemon, thousand: Callable[[], set[int]], record_property: Callable[..., None]
) -> None:
    start(POLICY)
    began_s = time.monotonic()
    ids = thousand()
    made_s = time.monotonic()
    for _ in until(PATIENCE_S):
        if cgroups_in("rules") == ids:
            break
    governed_s = time.monotonic()
    record_property("making_s", made_s - began_s)
    record_property("governed_after_s", governed_s - made_s)
    print(f"made in {made_s - began_s:.2f} s, all governed {governed_s - made_s:.2f} s after the last")

    _remove_all(batch)
    removed_s = time.monotonic()
    for _ in until(PATIENCE_S):
        if not any(cgroups_in(name) for name in MAPS):
            break
    print(f"removed in {removed_s - governed_s:.2f} s, forgotten {time.monotonic() - removed_s:.2f} s after")
    assert governed_s - made_s < GOVERNED_WITHIN_S


def _remove_all(batch: Cgroup) -> None:
    for leaf in batch.path.iterdir():
        if leaf.is_dir():
            leaf.rmdir()
