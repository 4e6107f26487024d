# SPDX-License-Identifier: GPL-2.0-or-later
"""The unit as it is shipped, with all that it may not do, where there is nothing but memory.reclaim."""

from pathlib import Path

import pytest

from tests.kernel.cgroups import Cgroup, until
from tests.package import host
from tests.package.conftest import GOVERNED
from tests.package.host import CONFIG, LOAD, RECLAIMED, UNIT, journal, scrape, systemctl
from tests.system.load import write_and_read

pytestmark = pytest.mark.stock_only

STARTS = {"usage": "24MiB", "psi_some": "{psi: {some: 1%, window: 2s}}"}
POLICY = """\
policies:
  - name: batch
    match: /batch.slice/*
    reclaim: {{start: {start}, stop: {{after: 1s}}}}
"""


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("reason", STARTS)
def test_the_unit_reclaims(leaf: Cgroup, disk: Path, reason: str) -> None:
    CONFIG.write_text(POLICY.format(start=STARTS[reason]))
    systemctl("restart", UNIT)
    host.wait_for("StatusText", GOVERNED)
    for _ in until():
        write_and_read(leaf, disk, 64)
        if scrape().value("reclaimd_triggers_total", cgroup=LOAD, reason=reason):
            break
    assert scrape().value(RECLAIMED, cgroup=LOAD) > 0
    assert journal(BACKEND="memory.reclaim")


@pytest.mark.usefixtures("installed")
def test_it_stops_and_starts_again() -> None:
    systemctl("stop", UNIT)
    systemctl("start", UNIT)
    host.wait_for("StatusText", "Policies: ")
