# SPDX-License-Identifier: GPL-2.0-or-later
"""What a scrape over HTTP shows of the governed cgroups."""

import urllib.request
from mmap import PAGESIZE as PAGE_BYTES

import pytest
from prometheus_client.parser import text_string_to_metric_families

from reclaimd import __version__
from reclaimd.backend.base import StopReason
from tests.unit.fake_cgroupfs import FakeCgroupfs
from tests.unit.service.running import MIB, TIMEOUT_S, RunningDaemon, add_parent

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture
def batch(cgroupfs: FakeCgroupfs) -> FakeCgroupfs:
    """A tree with /batch/a, which uses 20 of 32 MiB."""
    add_parent(cgroupfs, "/batch")
    cgroupfs.add("/batch/a", max_bytes=32 * MIB, current_bytes=20 * MIB)
    return cgroupfs


def samples(text: str) -> Samples:
    """Parse what was scraped."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of_a(scraped: Samples, name: str, **labels: str) -> float:
    """Return the sample of /batch/a."""
    return scraped[name, frozenset({"cgroup": "/batch/a", "policy": "batch", **labels}.items())]


def cgroups_in(text: str) -> set[str]:
    """Return the cgroups that any sample is about."""
    return {dict(labels)["cgroup"] for _, labels in samples(text) if "cgroup" in dict(labels)}


def test_counters_are_in_base_units(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        (cgroup_id,) = daemon.backend.rules
        daemon.backend.counts_happen(
            cgroup_id,
            triggers=5,
            passes=7,
            pages_asked=300,
            pages_reclaimed=200,
            reclaim_ns=1_500_000_000,
            give_ups=2,
            delays=11,
            delay_ms=2500,
            start_failures=3,
        )
        scraped = samples(daemon.scrape())
        assert of_a(scraped, "reclaimd_triggers_total") == 5
        assert of_a(scraped, "reclaimd_passes_total") == 7
        assert of_a(scraped, "reclaimd_asked_bytes_total") == 300 * PAGE_BYTES
        assert of_a(scraped, "reclaimd_reclaimed_bytes_total") == 200 * PAGE_BYTES
        assert of_a(scraped, "reclaimd_reclaim_seconds_total") == 1.5
        assert of_a(scraped, "reclaimd_give_ups_total") == 2
        assert of_a(scraped, "reclaimd_delays_total") == 11
        assert of_a(scraped, "reclaimd_delay_seconds_total") == 2.5
        assert of_a(scraped, "reclaimd_start_failures_total") == 3

    RunningDaemon(batch).run(script)


def test_episodes_are_counted_by_reason_and_start_at_zero(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        (cgroup_id,) = daemon.backend.rules
        daemon.backend.counts_happen(cgroup_id, ended_for={StopReason.NO_PROGRESS: 1})
        scraped = samples(daemon.scrape())
        counts = {reason: of_a(scraped, "reclaimd_episodes_total", reason=reason) for reason in StopReason}
        assert counts == {reason: float(reason is StopReason.NO_PROGRESS) for reason in StopReason}

    RunningDaemon(batch).run(script)


def test_usage_and_thresholds_are_shown_in_bytes(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        scraped = samples(daemon.scrape())
        assert of_a(scraped, "reclaimd_usage_bytes") == 20 * MIB
        assert of_a(scraped, "reclaimd_start_bytes") == 24 * MIB
        assert of_a(scraped, "reclaimd_stop_bytes") == 16 * MIB

    RunningDaemon(batch).run(script)


def test_the_daemon_tells_of_itself(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        daemon.backend.dropped = 4
        scraped = samples(daemon.scrape())
        assert scraped["reclaimd_rules", frozenset()] == 1
        assert scraped["reclaimd_dropped_events_total", frozenset()] == 4
        build = frozenset({("version", __version__), ("backend", "memory")})
        assert scraped["reclaimd_build_info", build] == 1

    RunningDaemon(batch).run(script)


def test_series_end_with_their_cgroup(batch: FakeCgroupfs) -> None:
    batch.add("/batch/b", max_bytes=32 * MIB)

    def script(daemon: RunningDaemon) -> None:
        assert cgroups_in(daemon.scrape()) == {"/batch/a", "/batch/b"}
        batch.remove("/batch/b")
        daemon.wait_for_line("rules changed")
        assert cgroups_in(daemon.scrape()) == {"/batch/a"}

    RunningDaemon(batch).run(script)


def test_a_cgroup_that_vanishes_during_a_scrape_only_lacks_its_usage(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        (batch.root / "batch/a/memory.current").unlink()
        names = {name for name, labels in samples(daemon.scrape()) if ("cgroup", "/batch/a") in labels}
        assert "reclaimd_usage_bytes" not in names
        assert "reclaimd_start_bytes" in names

    RunningDaemon(batch).run(script)


def test_openmetrics_is_served_to_who_asks_for_it(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        address = daemon.log[-1]["metrics"]
        request = urllib.request.Request(
            f"http://{address}/metrics", headers={"Accept": "application/openmetrics-text"}
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
            assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
            assert answer.read().endswith(b"# EOF\n")

    RunningDaemon(batch).run(script)
