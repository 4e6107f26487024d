# SPDX-License-Identifier: GPL-2.0-or-later
"""When balance_dirty_pages() pauses a task of a cgroup."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.cgroups import PAGE_BYTES, Cgroup, Charger, until

TRACING = Path("/sys/kernel/tracing")
EVENT = TRACING / "events/writeback/balance_dirty_pages/enable"
PAUSE = re.compile(r" dirty=(?P<dirty>\d+) .* pause=(?P<pause>\d+) .*cgroup_ino=(?P<cgroup_id>\d+)")

MAX_BYTES = 32 << 20
#: Far over what may be dirty in it, a fifth; far under what a few writes make dirty.
MANY_PAGES, FEW_PAGES = 2048, 512


@pytest.fixture
def pauses() -> Iterator[Path]:
    """The trace of what balance_dirty_pages() decides."""
    EVENT.write_text("1")
    yield TRACING / "trace"
    EVENT.write_text("0")


def test_a_task_is_not_paused_for_pages_that_have_been_written_back(
    cgroup: Cgroup, disk: Path, pauses: Path
) -> None:
    cgroup.write("memory.max", str(MAX_BYTES))
    with Charger(cgroup) as charger:
        for _ in until():
            charger.dirty(disk / "many", 2 * MANY_PAGES)
            # Reading the statistics sums them up; nobody else does before 2 s have passed.
            if cgroup.keyed("memory.stat")["file_dirty"] > MANY_PAGES * PAGE_BYTES:
                break
            os.sync()
        os.sync()
        pauses.write_text("")
        charger.dirty(disk / "few", FEW_PAGES)
    found = [
        match for match in PAUSE.finditer(pauses.read_text()) if int(match["cgroup_id"]) == cgroup.cgroup_id
    ]
    assert [match[0] for match in found if int(match["pause"]) and int(match["dirty"]) > MANY_PAGES] == []
