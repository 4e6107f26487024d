# SPDX-License-Identifier: GPL-2.0-or-later
"""Edit the configuration, then systemctl reload."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.cgroups import Cgroup
from tests.package.host import BATCH, CONFIG, UNIT, run, scrape, show, systemctl, with_settings
from tests.system.load import write_and_read

pytestmark = pytest.mark.bpf_only("rules that are pinned")

DROP_IN = Path("/etc/reclaimd/policy.d/more.yaml")
MORE = """\
policies:
  - name: more
    match: /more.slice/*
    reclaim: {start: 24MiB, stop: 22MiB}
"""
SECOND = "  - {name: none, match: /none, reclaim: {start: 2MiB, stop: 1MiB}}\n"
SINCE = "reclaimd_config_last_reload_success_timestamp_seconds"


@pytest.fixture
def drop_in() -> Iterator[Path]:
    """A file in policy.d that is gone afterwards."""
    yield DROP_IN
    DROP_IN.unlink(missing_ok=True)


@pytest.mark.usefixtures("governed")
def test_an_edit_is_in_force_when_the_command_is_done() -> None:
    pid = show("MainPID")
    CONFIG.write_text(BATCH + SECOND)
    systemctl("reload", UNIT)
    assert show("MainPID") == pid
    assert show("StatusText").startswith("Policies: 2, cgroups with a rule: 1")
    assert scrape().value("reclaimd_config_last_reload_successful") == 1


def test_counters_go_on(governed: Cgroup, disk: Path) -> None:
    write_and_read(governed, disk, 64)
    before = scrape().value("reclaimd_reclaimed_bytes_total")
    CONFIG.write_text(BATCH.replace("22MiB", "21MiB"))
    systemctl("reload", UNIT)
    assert scrape().value("reclaimd_reclaimed_bytes_total") >= before > 0


@pytest.mark.usefixtures("governed")
def test_drop_ins_are_read_too(drop_in: Path) -> None:
    drop_in.write_text(MORE)
    systemctl("reload", UNIT)
    assert show("StatusText").startswith("Policies: 2,")


def test_a_mistake_fails_the_command_and_changes_nothing(governed: Cgroup, disk: Path) -> None:
    since = scrape().value(SINCE)
    CONFIG.write_text(BATCH.replace("24MiB", "24MB"))
    done = run("systemctl", "reload", UNIT, check=False)
    assert done.returncode == 1
    assert show("ActiveState") == "active"
    assert re.search(rf"not reloaded: {CONFIG}:4:22: ", show("StatusText"))
    assert scrape().value("reclaimd_config_last_reload_successful") == 0
    assert scrape().value(SINCE) == since
    before = governed.keyed("memory.events")["max"]
    write_and_read(governed, disk, 64)
    assert governed.keyed("memory.events")["max"] == before


@pytest.mark.usefixtures("governed")
def test_a_mistake_in_a_drop_in_is_told_with_its_own_place(drop_in: Path) -> None:
    drop_in.write_text(MORE.replace("24MiB", "24MB"))
    assert run("systemctl", "reload", UNIT, check=False).returncode == 1
    assert f"{drop_in}:4:22: " in show("StatusText")


@pytest.mark.usefixtures("governed")
def test_older_systemd_reloads_with_the_documented_drop_in() -> None:
    shipped = Path("/usr/share/doc/reclaimd/examples/before-253.conf")
    with_settings(*[line for line in shipped.read_text().splitlines() if "=" in line and line[0] != "#"])
    systemctl("restart", UNIT)
    CONFIG.write_text(BATCH + SECOND)
    systemctl("reload", UNIT)
    assert show("Type") == "notify"
    assert show("StatusText").startswith("Policies: 2,")
