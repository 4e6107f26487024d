# SPDX-License-Identifier: GPL-2.0-or-later
"""The backend that the daemon takes by itself, by the kernel that it finds; and that it is alone with it."""

from pathlib import Path

import pytest

from tests.backends import MEMORY_RECLAIM
from tests.kernel.cgroups import Cgroup
from tests.system.conftest import StartDaemon
from tests.system.daemon import Daemon, free_port, run_reclaimd

POLICY = """\
policies:
  - name: batch
    match: /batch
    reclaim: {start: 1GiB, stop: 512MiB}
"""
NEEDS_MORE = f"{POLICY}    back_pressure: {{start: 2GiB, max_delay: 100ms}}\n"


def test_auto_says_which_it_is_and_why(batch: Cgroup, config: Path, backend_name: str) -> None:
    del batch
    with Daemon(config, POLICY) as daemon:
        daemon.wait_for("in force")
    (line,) = daemon.lines("backend chosen")
    assert line["backend"] == backend_name
    assert ("no memcg_bpf_ops" in line["why"]) is (backend_name == MEMORY_RECLAIM)


def test_what_the_backend_cannot_do_is_refused_or_left_out(
    batch: Cgroup, config: Path, start: StartDaemon, backend_name: str
) -> None:
    del batch
    if backend_name == MEMORY_RECLAIM:
        config.write_text(NEEDS_MORE)
        ended = run_reclaimd("run", "--config", str(config))
        assert ended.status == 78
        assert "back_pressure" in ended.lines[-1]
    daemon = start(f"{NEEDS_MORE}    on_missing: warn\n")
    told = [line for line in daemon.log if line["level"] == "warning" and "back_pressure" in line["event"]]
    assert bool(told) is (backend_name == MEMORY_RECLAIM)


@pytest.mark.usefixtures("batch")
def test_a_second_daemon_ends_with_one_line(start: StartDaemon, tmp_path: Path) -> None:
    daemon = start(POLICY)
    second = tmp_path / "second.yaml"
    second.write_text(f"{POLICY}metrics: {{listen: '127.0.0.1:{free_port()}'}}\n")
    ended = run_reclaimd("run", "--config", str(second), "--socket", str(tmp_path / "second"))
    assert ended.status == 1
    assert ended.lines == ["reclaimd: reclaimd is running already; stop it first"]
    assert daemon.scrape().cgroups() == {"/batch"}
