# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from reclaimd.bench.daemon import DaemonError, DaemonSetup, Totals, running, totals
from reclaimd.bench.exposition import Series


def series(name: str, value: float, cgroup: str, **labels: str) -> Series:
    return Series(name, {"cgroup": cgroup, "policy": "demo", **labels}, value)


SCRAPE = [
    series("reclaimd_episodes_total", 30, "/demo/run", reason="usage"),
    series("reclaimd_episodes_total", 2, "/demo/run", reason="no_progress"),
    series("reclaimd_passes_total", 95, "/demo/run"),
    series("reclaimd_reclaimed_bytes_total", 20_000 * 4096, "/demo/run"),
    series("reclaimd_reclaim_cpu_seconds_total", 0.25, "/demo/run"),
    series("reclaimd_delays_total", 7, "/demo/run"),
    series("reclaimd_delay_seconds_total", 0.5, "/demo/run"),
    series("reclaimd_passes_total", 1, "/demo/other"),
]


def test_a_cgroup_s_counters_are_picked_out_of_a_scrape() -> None:
    assert totals(SCRAPE, ["/demo/run"]) == Totals(
        episodes=32, passes=95, pages_reclaimed=20_000, delays=7, delay_s=0.5, worker_cpu_s=0.25
    )


def test_the_counters_of_several_cgroups_are_added_up() -> None:
    assert totals(SCRAPE, ["/demo/run", "/demo/other"]).passes == 96


def test_a_cgroup_that_was_not_reclaimed_has_counted_nothing() -> None:
    assert totals(SCRAPE, ["/demo/third"]) == Totals()


def test_a_daemon_that_cannot_start_is_an_error_with_what_it_said(tmp_path: Path) -> None:
    setup = DaemonSetup(tmp_path / "gone.yaml", "http://127.0.0.1:1/metrics", tmp_path / "log")
    with pytest.raises(DaemonError, match=r"ended with status 78(.|\n)*gone.yaml"), running(setup) as daemon:
        daemon.wait_until_in_force(["/demo/run"])
