# SPDX-License-Identifier: GPL-2.0-or-later
"""The metrics of the daemon itself."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from reclaimd import __version__
from reclaimd.backend.fit import OF_POLICIES
from reclaimd.config.problem import Severity
from reclaimd.service.incidents import Incidents
from reclaimd.service.ledger import Ledger, Loading, Snapshot
from reclaimd.service.log import DaemonLog
from reclaimd.service.resolver import Resolver


@dataclass(frozen=True, slots=True)
class Sources:
    """What knows something of the daemon."""

    ledger: Ledger
    resolver: Resolver
    log: DaemonLog
    incidents: Incidents


class DaemonCollector(Collector):
    """What the daemon says of itself at one scrape.

    Args:
        sources: whom to ask.
        snapshot: what is in force.
        left_out: the governed cgroups that nothing is exported of.
    """

    def __init__(self, sources: Sources, snapshot: Snapshot, left_out: int) -> None:
        self._sources = sources
        self._snapshot = snapshot
        self._left_out = left_out

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        ledger = self._sources.ledger
        yield InfoMetricFamily(
            "reclaimd_build",
            "The daemon's version and the backend that carries its rules out.",
            {"version": __version__, "backend": ledger.backend_name},
        )
        yield _features(ledger)
        yield from _loading(ledger.loading)
        yield from self._rules()
        yield from self._kernel()
        yield from _incidents(self._sources.incidents)
        yield CounterMetricFamily(
            "reclaimd_dropped_log_lines",
            "Lines that were not written because whoever reads the log was too slow.",
            self._sources.log.dropped_lines,
        )

    def _rules(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("reclaimd_rules", "Rules in force.", len(self._snapshot.accounts))
        yield GaugeMetricFamily(
            "reclaimd_unexported_cgroups",
            "Governed cgroups without metrics, because there are more than metrics.max_cgroups.",
            self._left_out,
        )
        in_force = Counter(account.rule.policy for account in self._snapshot.accounts)
        rules = GaugeMetricFamily("reclaimd_policy_rules", "Rules in force, by policy.", labels=("policy",))
        for policy in self._sources.resolver.policies:
            rules.add_metric((policy,), in_force[policy])
        yield rules
        yield self._paused()
        yield self._problems()
        yield self._lacks()
        yield self._forbidden()

    def _paused(self) -> Metric:
        family = GaugeMetricFamily(
            "reclaimd_policy_paused",
            "Whether a policy is paused: it decides and counts, and does nothing.",
            labels=("policy",),
        )
        for policy in self._sources.ledger.policies:
            family.add_metric((policy.name,), policy.paused)
        return family

    def _problems(self) -> Metric:
        found = Counter((problem.policy, problem.severity) for problem in self._sources.resolver.problems)
        family = GaugeMetricFamily(
            "reclaimd_policy_problems",
            "What is wrong with a policy at the moment; with an error it is not in force for a cgroup that it matches.",
            labels=("policy", "severity"),
        )
        for policy in self._sources.resolver.policies:
            for severity in Severity:
                family.add_metric((policy, severity.value), found[policy, severity])
        return family

    def _lacks(self) -> Metric:
        family = GaugeMetricFamily(
            "reclaimd_policy_lacks",
            "Whether a policy has to do without this, because the backend cannot do it on this host.",
            labels=("policy", "ability"),
        )
        for policy in self._sources.ledger.policies:
            for ability in OF_POLICIES:
                family.add_metric((policy.name, ability.value), ability in policy.lacks)
        return family

    def _forbidden(self) -> Metric:
        family = GaugeMetricFamily(
            "reclaimd_policy_forbidden_cgroups",
            "Cgroups that a policy is for, and that the daemon may not write to.",
            labels=("policy",),
        )
        for policy in self._sources.resolver.policies:
            family.add_metric((policy,), self._sources.ledger.forbidden[policy])
        return family

    def _kernel(self) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "reclaimd_dropped_events",
            "Events lost because the kernel's buffer was full; the counters have them all the same.",
            self._snapshot.dropped_events,
        )
        yield CounterMetricFamily(
            "reclaimd_ungoverned_charges",
            "Charges of governed cgroups that met no rule.",
            self._snapshot.ungoverned_charges,
        )
        yield CounterMetricFamily(
            "reclaimd_postponed_looks",
            "Looks at cgroups that were put off because looking had taken the CPU time that it may; memory.reclaim only.",
            self._snapshot.postponed_looks,
        )


def _features(ledger: Ledger) -> Metric:
    family = GaugeMetricFamily(
        "reclaimd_feature", "Whether the kernel has what reclaimd looks for: 1 or 0.", labels=("feature",)
    )
    for feature, present in ledger.features.items():
        family.add_metric((feature,), present)
    return family


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


def _incidents(incidents: Incidents) -> Iterator[Metric]:
    so_far = incidents.so_far()
    numbers = CounterMetricFamily("reclaimd_errors", "Errors since the start, by kind.", labels=("kind",))
    last = GaugeMetricFamily(
        "reclaimd_last_error_timestamp_seconds", "When the last error of a kind was.", labels=("kind",)
    )
    for kind, occurrences in so_far.items():
        numbers.add_metric((kind.value,), occurrences.number)
        if occurrences.last_at is not None:
            last.add_metric((kind.value,), occurrences.last_at)
    yield from (numbers, last)
