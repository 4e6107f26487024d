# SPDX-License-Identifier: GPL-2.0-or-later
"""What a scrape over HTTP shows of the governed cgroups."""

import urllib.request
from mmap import PAGESIZE as PAGE_BYTES

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from reclaimd import __version__
from reclaimd.backend.base import StopReason, Times
from reclaimd.config.metric import Metric
from tests.unit.fake_cgroupfs import FakeCgroupfs
from tests.unit.service.running import BATCH, MIB, TIMEOUT_S, RunningDaemon, add_parent

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
            passes=7,
            pages_asked=300,
            pages_reclaimed=200,
            reclaim_ns=1_500_000_000,
            give_ups=2,
            delays=11,
            delay_us=2_500_000,
            refusals=4,
            write_backs=6,
            start_failures=3,
        )
        scraped = samples(daemon.scrape())
        assert of_a(scraped, "reclaimd_passes_total") == 7
        assert of_a(scraped, "reclaimd_asked_bytes_total") == 300 * PAGE_BYTES
        assert of_a(scraped, "reclaimd_reclaimed_bytes_total") == 200 * PAGE_BYTES
        assert of_a(scraped, "reclaimd_reclaim_seconds_total") == 1.5
        assert of_a(scraped, "reclaimd_give_ups_total") == 2
        assert of_a(scraped, "reclaimd_delays_total") == 11
        assert of_a(scraped, "reclaimd_delay_seconds_total") == 2.5
        assert of_a(scraped, "reclaimd_refusals_total") == 4
        assert of_a(scraped, "reclaimd_write_backs_total") == 6
        assert of_a(scraped, "reclaimd_start_failures_total") == 3

    RunningDaemon(batch).run(script)


def test_triggers_and_episodes_are_counted_by_reason(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        (cgroup_id,) = daemon.backend.rules
        daemon.backend.counts_happen(
            cgroup_id, started_for={Metric.USAGE: 3}, ended_for={StopReason.NO_PROGRESS: 1}
        )
        scraped = samples(daemon.scrape())
        assert of_a(scraped, "reclaimd_triggers_total", reason="usage") == 3
        assert of_a(scraped, "reclaimd_episodes_total", reason="no_progress") == 1

    RunningDaemon(batch).run(script)


def test_the_reasons_that_a_policy_can_have_start_at_zero(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        scraped = samples(daemon.scrape())
        reasons = {dict(labels)["reason"] for name, labels in scraped if name == "reclaimd_episodes_total"}
        assert reasons == {"usage", "no_progress"}
        assert of_a(scraped, "reclaimd_episodes_total", reason="usage") == 0

    RunningDaemon(batch).run(script)


def test_what_a_policy_does_not_have_is_left_out(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        names = {name for name, labels in samples(daemon.scrape()) if ("cgroup", "/batch/a") in labels}
        assert "reclaimd_passes_total" in names
        assert not names & {"reclaimd_delays_total", "reclaimd_throttles_total", "reclaimd_protections_total"}

    RunningDaemon(batch).run(script)


def test_histograms_are_cumulative_and_in_seconds(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        (cgroup_id,) = daemon.backend.rules
        # One of up to 1 us, two of up to 1.024 ms, one of more than 268 s.
        buckets = (1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
        daemon.backend.counts_happen(cgroup_id, durations=Times(300_000_000_000, buckets))
        scraped = samples(daemon.scrape())
        name = "reclaimd_episode_duration_seconds"
        assert of_a(scraped, f"{name}_bucket", le="0.001024") == 3
        assert of_a(scraped, f"{name}_bucket", le="16.777216") == 3
        assert of_a(scraped, f"{name}_bucket", le="+Inf") == 4
        assert of_a(scraped, f"{name}_count") == 4
        assert of_a(scraped, f"{name}_sum") == 300

    RunningDaemon(batch).run(script)


def test_the_cgroup_s_own_accounts_are_shown(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        scraped = samples(daemon.scrape())
        assert of_a(scraped, "reclaimd_pressure_seconds_total", share="some") == 1.5
        assert of_a(scraped, "reclaimd_pressure_seconds_total", share="full") == 0.25
        assert of_a(scraped, "reclaimd_memory_events_total", event="max") == 3
        assert of_a(scraped, "reclaimd_memory_events_total", event="oom_kill") == 5

    RunningDaemon(batch).run(script)


def test_usage_and_thresholds_are_shown_in_bytes(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        scraped = samples(daemon.scrape())
        assert of_a(scraped, "reclaimd_usage_bytes") == 20 * MIB
        assert of_a(scraped, "reclaimd_start_bytes") == 24 * MIB
        assert of_a(scraped, "reclaimd_stop_bytes") == 16 * MIB
        assert of_a(scraped, "reclaimd_limit_bytes") == 32 * MIB

    RunningDaemon(batch).run(script)


def test_the_daemon_tells_of_itself(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        daemon.backend.dropped = 4
        daemon.backend.postponed = 5
        scraped = samples(daemon.scrape())
        assert scraped["reclaimd_rules", frozenset()] == 1
        assert scraped["reclaimd_dropped_events_total", frozenset()] == 4
        assert scraped["reclaimd_postponed_looks_total", frozenset()] == 5
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


def openmetrics(daemon: RunningDaemon) -> str:
    """Scrape as Prometheus does."""
    address = daemon.log[-1]["metrics"]
    request = urllib.request.Request(
        f"http://{address}/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"}
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        text: str = answer.read().decode()
    return text


def test_openmetrics_says_the_same(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        text = openmetrics(daemon)
        assert text.endswith("# EOF\n")
        told = {
            (sample.name, frozenset(sample.labels.items()))
            for family in openmetrics_families(text)  # type: ignore[no-untyped-call]  # the library leaves it so
            for sample in family.samples
        }
        assert told == samples(daemon.scrape()).keys()

    RunningDaemon(batch).run(script)


def test_a_path_is_escaped(batch: FakeCgroupfs) -> None:
    odd = '/batch/say "\\hi\n\udcff'
    batch.add(odd, max_bytes=32 * MIB)

    def script(daemon: RunningDaemon) -> None:
        assert cgroups_in(daemon.scrape()) == {"/batch/a", '/batch/say "\\hi\n\\udcff'}

    RunningDaemon(batch).run(script)


def test_no_more_cgroups_are_exported_than_may_be(batch: FakeCgroupfs) -> None:
    batch.add("/batch/b", max_bytes=32 * MIB)

    def script(daemon: RunningDaemon) -> None:
        text = daemon.scrape()
        assert cgroups_in(text) == {"/batch/a"}
        assert samples(text)["reclaimd_unexported_cgroups", frozenset()] == 1
        assert samples(text)["reclaimd_rules", frozenset()] == 2

    RunningDaemon(batch, f"{BATCH}metrics: {{max_cgroups: 1}}\n").run(script)


def test_features_policies_and_problems_are_told(batch: FakeCgroupfs) -> None:
    batch.add("/batch/unlimited")

    def script(daemon: RunningDaemon) -> None:
        scraped = samples(daemon.scrape())
        assert scraped["reclaimd_feature", frozenset({("feature", "pipes")})] == 1
        assert scraped["reclaimd_feature", frozenset({("feature", "kernel")})] == 0
        assert scraped["reclaimd_policy_rules", frozenset({("policy", "batch")})] == 1
        error = frozenset({("policy", "batch"), ("severity", "error")})
        assert scraped["reclaimd_policy_problems", error] == 1

    RunningDaemon(batch).run(script)


def test_errors_are_counted_by_kind_with_their_time(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        daemon.reload("policies: 7\n")
        daemon.wait_for_line("not reloaded: the configuration in force stays")
        scraped = samples(daemon.scrape())
        reload = frozenset({("kind", "reload")})
        assert scraped["reclaimd_errors_total", reload] == 1
        assert scraped["reclaimd_last_error_timestamp_seconds", reload] > 1.7e9
        assert scraped["reclaimd_errors_total", frozenset({("kind", "apply")})] == 0

    RunningDaemon(batch).run(script)


def test_the_process_is_measured(batch: FakeCgroupfs) -> None:
    def script(daemon: RunningDaemon) -> None:
        assert samples(daemon.scrape())["process_resident_memory_bytes", frozenset()] > MIB

    RunningDaemon(batch).run(script)
