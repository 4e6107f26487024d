# SPDX-License-Identifier: GPL-2.0-or-later
"""The unit: when it starts, what it may, how it comes back."""

import os
import re
import signal
from pathlib import Path

import pytest

from reclaimd.service.journal import JOURNAL
from tests.full_socket import fill
from tests.kernel.cgroups import ROOT, Cgroup, until
from tests.package.host import (
    BATCH,
    CONFIG,
    LOAD,
    RECLAIMED,
    UNIT,
    journal,
    run,
    scrape,
    show,
    systemctl,
    wait_for,
    with_settings,
)
from tests.system.load import write_and_read

pytestmark = pytest.mark.bpf_only("rules that are pinned")

MAX_EXPOSURE = 3.0
IN_FORCE = "92714a1ade26454cb17b3d3d48c5c64e"
NOT_RELOADED = "711fd080a9284052b0c2d1f104896545"
#: Names, and bits (uapi/linux/capability.h).
CAPABILITIES = {"CAP_PERFMON": 38, "CAP_BPF": 39}
CAP_SYSLOG = 34


@pytest.mark.usefixtures("installed")
def test_it_is_well_formed() -> None:
    done = run("systemd-analyze", "verify", "--man=no", f"/usr/lib/systemd/system/{UNIT}")
    assert done.stderr == ""


@pytest.mark.usefixtures("installed")
def test_its_exposure_is_low() -> None:
    done = run("systemd-analyze", "security", "--no-pager", UNIT)
    found = re.search(r"Overall exposure level for reclaimd\.service: ([\d.]+)", done.stdout)
    assert found, done.stdout
    assert float(found[1]) <= MAX_EXPOSURE, done.stdout


@pytest.mark.usefixtures("installed")
def test_it_is_up_before_what_it_governs() -> None:
    before, after = show("Before").split(), show("After").split()
    assert "basic.target" in before
    assert "basic.target" not in after
    assert "multi-user.target" in show("WantedBy").split()
    assert not re.search(UNIT + r".*cycle|cycle.*" + UNIT, run("journalctl", "-b", "_PID=1").stdout)


@pytest.mark.usefixtures("installed")
def test_its_own_memory_is_protected_where_that_has_effect() -> None:
    cgroup = ROOT / show("ControlGroup").lstrip("/")
    assert cgroup.parent == ROOT  # below a slice it would have no more than the slice has
    assert int((cgroup / "memory.min").read_text()) == 64 << 20
    assert Path(f"/proc/{show('MainPID')}/oom_score_adj").read_text() == "-900\n"


@pytest.mark.usefixtures("installed")
def test_its_directory_is_for_root_and_the_group() -> None:
    directory = Path("/run/reclaimd")
    assert directory.stat().st_mode & 0o7777 == 0o750
    assert (directory.owner(), directory.group()) == ("root", "reclaimd")


def test_it_is_ready_with_the_rules_in_force_and_says_so(governed: Cgroup, disk: Path) -> None:
    assert show("StatusText").startswith("Policies: 1, cgroups with a rule: 1")
    before = governed.keyed("memory.events")["max"]
    write_and_read(governed, disk, 64)
    assert governed.keyed("memory.events")["max"] == before
    assert scrape().value(RECLAIMED, cgroup=LOAD) > 0


@pytest.mark.usefixtures("governed")
def test_entries_in_the_journal_have_fields() -> None:
    newest = journal(MESSAGE_ID=IN_FORCE)[-1]
    assert newest["POLICIES"] == "1"
    assert newest["_SYSTEMD_UNIT"] == UNIT


@pytest.mark.usefixtures("governed")
@pytest.mark.parametrize("capability", CAPABILITIES)
def test_each_of_its_capabilities_is_needed(capability: str) -> None:
    with_settings(f"CapabilityBoundingSet=~{capability}", "Restart=no")
    run("systemctl", "restart", UNIT, check=False)
    assert show("ActiveState") == "failed"


@pytest.mark.parametrize("capable", [True, False])
def test_cap_syslog_is_what_it_knows_free_swap_by(
    governed: Cgroup,
    disk: Path,
    capable: bool,  # noqa: FBT001  a parameter of pytest's
) -> None:
    with_settings(*([] if capable else ["CapabilityBoundingSet=~CAP_SYSLOG"]))
    reclaim_alone = BATCH.partition("    back_pressure")[0]
    CONFIG.write_text(reclaim_alone.replace("start: 24MiB", "start: {all: [24MiB, swap_free: 1MiB]}"))
    # A restart would go on with programs that are loaded already.
    systemctl("stop", UNIT)
    systemctl("start", UNIT)
    before = scrape().value(RECLAIMED, cgroup=LOAD)
    write_and_read(governed, disk, 64)
    assert (scrape().value(RECLAIMED, cgroup=LOAD) > before) is capable


@pytest.mark.usefixtures("governed")
def test_it_has_no_capability_besides() -> None:
    (line,) = re.findall(r"CapEff:\s+(\w+)", Path(f"/proc/{show('MainPID')}/status").read_text())
    assert int(line, 16) == sum(1 << bit for bit in (*CAPABILITIES.values(), CAP_SYSLOG))


@pytest.mark.usefixtures("governed")
def test_killed_it_is_started_again() -> None:
    first, restarts = show("MainPID"), int(show("NRestarts"))
    systemctl("kill", "--kill-whom=main", "--signal=KILL", UNIT)
    wait_for("NRestarts", str(restarts + 1))
    wait_for("ActiveState", "active")
    assert show("MainPID") != first
    assert show("StatusText").startswith("Policies: 1, cgroups with a rule: 1")


@pytest.mark.usefixtures("governed")
def test_hung_it_is_ended_by_the_watchdog_and_started_again() -> None:
    with_settings("WatchdogSec=10s")
    systemctl("restart", UNIT)
    first = show("MainPID")
    systemctl("kill", "--kill-whom=main", f"--signal={signal.SIGSTOP.name}", UNIT)
    wait_for("NRestarts", "1")
    wait_for("ActiveState", "active")
    assert show("MainPID") != first
    assert any("watchdog" in entry["MESSAGE"].lower() for entry in journal(_PID="1"))


@pytest.mark.usefixtures("installed")
def test_a_wrong_configuration_is_not_tried_again_and_again(tmp_path: Path) -> None:
    config = tmp_path / "wrong.yaml"
    config.write_text("policies: [\n")
    with_settings("ExecStart=", f"ExecStart=/usr/bin/reclaimd run --config {config}")
    run("systemctl", "restart", UNIT, check=False)
    assert (show("ActiveState"), show("ExecMainStatus"), show("NRestarts")) == ("failed", "78", "0")


def test_a_journal_that_is_stuck_does_not_hold_it_up(governed: Cgroup) -> None:  # noqa: ARG001  is governed
    daemon, journal_pid = int(show("MainPID")), int(systemctl("show", "-PMainPID", "systemd-journald"))
    os.kill(journal_pid, signal.SIGSTOP)
    try:
        fill(JOURNAL)
        CONFIG.write_text(BATCH.replace("24MiB", "24MB"))
        os.kill(daemon, signal.SIGHUP)
        for _ in until():
            if scrape().value("reclaimd_config_last_reload_successful") == 0:
                break
    finally:
        os.kill(journal_pid, signal.SIGCONT)
    assert journal(MESSAGE_ID=NOT_RELOADED)[-1]["ERROR"].startswith(f"{CONFIG}:4:22: ")
    assert (show("MainPID"), show("NRestarts")) == (str(daemon), "0")


def test_who_shuts_it_out_of_a_cgroup_harms_nobody_else(governed: Cgroup) -> None:
    mine, other = (Cgroup(governed.path.with_name(name)) for name in ("mine", "other"))
    mine.path.mkdir()
    try:
        mine.write("memory.max", "32M")
        wait_for("StatusText", "Policies: 1, cgroups with a rule: 2")
        (mine.path / "memory.max").chmod(0)
        mine.path.chmod(0)
        other.path.mkdir()
        other.write("memory.max", "32M")
        wait_for("StatusText", "Policies: 1, cgroups with a rule: 2")
        systemctl("restart", UNIT)
        wait_for("StatusText", "Policies: 1, cgroups with a rule: 2")
    finally:
        for cgroup in (mine, other):
            cgroup.path.rmdir()
