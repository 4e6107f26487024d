# SPDX-License-Identifier: GPL-2.0-or-later
"""The metrics, read from the ledger at each scrape.

Nothing is kept between scrapes, so the series of a cgroup end when its rule does.
"""

from collections.abc import Callable, Iterable, Iterator
from mmap import PAGESIZE as PAGE_BYTES
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from reclaimd import __version__
from reclaimd.backend.base import Counters, StopReason
from reclaimd.cgroup.facts import read_facts
from reclaimd.errors import HostError
from reclaimd.policy.rule import Rule
from reclaimd.service.ledger import Account, Ledger, Loading

NS_PER_S = 1_000_000_000
MS_PER_S = 1_000
LABELS = ("cgroup", "policy")

# Name without "_total", help, value in base units.
COUNTERS: tuple[tuple[str, str, Callable[[Counters], float]], ...] = (
    ("reclaimd_triggers", "How often the condition to start became true.", lambda c: c.triggers),
    (
        "reclaimd_passes",
        "Reclaim passes, each one bounded call of the kernel's reclaim.",
        lambda c: c.passes,
    ),
    (
        "reclaimd_asked_bytes",
        "Memory that passes asked the kernel to reclaim.",
        lambda c: c.pages_asked * PAGE_BYTES,
    ),
    ("reclaimd_reclaimed_bytes", "Memory that passes reclaimed.", lambda c: c.pages_reclaimed * PAGE_BYTES),
    ("reclaimd_reclaim_seconds", "Time that passes took.", lambda c: c.reclaim_ns / NS_PER_S),
    ("reclaimd_reclaim_cpu_seconds", "CPU time that passes took.", lambda c: c.reclaim_cpu_ns / NS_PER_S),
    (
        "reclaimd_give_ups",
        "Episodes that ended because passes brought nothing.",
        lambda c: c.give_ups,
    ),
    (
        "reclaimd_held_back",
        "Times that passes were put off because a second's rate or CPU time was used up.",
        lambda c: c.held_back,
    ),
    ("reclaimd_delays", "Charges that back-pressure answered with a delay.", lambda c: c.delays),
    (
        "reclaimd_delay_seconds",
        "The sum of the delays that charges were answered with.",
        lambda c: c.delay_ms / MS_PER_S,
    ),
    ("reclaimd_throttles", "Charges delayed for the sake of a protected cgroup.", lambda c: c.throttles),
    (
        "reclaimd_throttle_seconds",
        "The sum of the delays for the sake of protected cgroups.",
        lambda c: c.throttle_ms / MS_PER_S,
    ),
    ("reclaimd_protections", "Times that protection began.", lambda c: c.protections),
    ("reclaimd_ticks", "How often what charges cannot see was measured.", lambda c: c.ticks),
    ("reclaimd_start_failures", "Triggers whose reclaim could not be queued.", lambda c: c.start_failures),
)


class LedgerCollector(Collector):
    """Turns a ledger's snapshot into metrics, with the usage of each governed cgroup read beside it.

    Args:
        ledger: what to collect from.
        root: where cgroup2 is mounted.
    """

    def __init__(self, ledger: Ledger, root: Path) -> None:
        self._ledger = ledger
        self._root = root

    def collect(self) -> Iterator[Metric]:
        """Yield every metric, as they stand now."""
        snapshot = self._ledger.snapshot()
        yield InfoMetricFamily(
            "reclaimd_build",
            "The daemon's version and the backend that carries its rules out.",
            {"version": __version__, "backend": self._ledger.backend_name},
        )
        yield from _loading(self._ledger.loading)
        yield GaugeMetricFamily("reclaimd_rules", "Rules in force.", len(snapshot.accounts))
        yield CounterMetricFamily(
            "reclaimd_dropped_events",
            "Events lost because the kernel's buffer was full.",
            snapshot.dropped_events,
        )
        yield CounterMetricFamily(
            "reclaimd_ungoverned_charges",
            "Charges of governed cgroups that met no rule.",
            snapshot.ungoverned_charges,
        )
        yield from _counters(snapshot.accounts)
        yield _episodes(snapshot.accounts)
        yield from self._gauges(snapshot.accounts)

    def _gauges(self, accounts: Iterable[Account]) -> Iterator[Metric]:
        usage = GaugeMetricFamily(
            "reclaimd_usage_bytes", "Memory that the cgroup is charged with.", labels=LABELS
        )
        start = GaugeMetricFamily(
            "reclaimd_start_bytes", "Lowest usage that a start condition compares with.", labels=LABELS
        )
        stop = GaugeMetricFamily(
            "reclaimd_stop_bytes", "Lowest usage that a stop condition compares with.", labels=LABELS
        )
        for rule in (account.rule for account in accounts):
            labels = (rule.path, rule.policy)
            if (usage_bytes := _usage_bytes(self._root, rule)) is not None:
                usage.add_metric(labels, usage_bytes)
            if rule.reclaim:
                _add_pages(start, labels, rule.reclaim.start.lowest_usage_pages)
                _add_pages(stop, labels, rule.reclaim.stop.lowest_usage_pages)
        yield from (usage, start, stop)


def _loading(loading: Loading) -> Iterator[Metric]:
    yield GaugeMetricFamily(
        "reclaimd_config_last_reload_successful",
        "Whether the last attempt to load the configuration succeeded.",
        not loading.problems,
    )
    yield GaugeMetricFamily(
        "reclaimd_config_last_reload_success_timestamp_seconds",
        "When the configuration in force was loaded.",
        loading.succeeded_at,
    )


def _add_pages(gauge: GaugeMetricFamily, labels: tuple[str, str], pages: int | None) -> None:
    if pages is not None:
        gauge.add_metric(labels, pages * PAGE_BYTES)


def _counters(accounts: Iterable[Account]) -> Iterator[Metric]:
    for name, documentation, value_of in COUNTERS:
        family = CounterMetricFamily(name, documentation, labels=LABELS)
        for account in accounts:
            if account.counters is not None:
                family.add_metric((account.rule.path, account.rule.policy), value_of(account.counters))
        yield family


def _episodes(accounts: Iterable[Account]) -> Metric:
    family = CounterMetricFamily(
        "reclaimd_episodes", "Episodes, by why they ended.", labels=(*LABELS, "reason")
    )
    for account in accounts:
        for reason in StopReason:
            if account.counters is not None:
                count = account.counters.ended_for.get(reason, 0)
                family.add_metric((account.rule.path, account.rule.policy, reason.value), count)
    return family


def _usage_bytes(root: Path, rule: Rule) -> int | None:
    """Read a governed cgroup's usage; None if it has gone."""
    try:
        facts = read_facts(root, rule.path)
    except (OSError, HostError):
        return None
    if facts is None or facts.cgroup_id != rule.cgroup_id or facts.memory is None:
        return None
    return facts.memory.current_bytes
