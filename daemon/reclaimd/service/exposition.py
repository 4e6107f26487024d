# SPDX-License-Identifier: GPL-2.0-or-later
"""All metrics of one moment as text: those of each governed cgroup, of the daemon, and of its process.

The series of a cgroup end when its rule does.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from prometheus_client.exposition import choose_encoder
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import CollectorRegistry

from reclaimd.service.cgroup_metrics import FAMILIES
from reclaimd.service.family import Governed
from reclaimd.service.ledger import Account
from reclaimd.service.metrics import DaemonCollector, Sources
from reclaimd.service.subject import Subject


class Exposition:
    """Answers scrapes; may be called from any thread.

    Args:
        sources: what knows something of the daemon.
        root: where cgroup2 is mounted.
        max_cgroups: how many cgroups have metrics of their own, the first by path.
    """

    def __init__(self, sources: Sources, root: Path, max_cgroups: int) -> None:
        self._sources = sources
        self._root = str(root)
        self._max_cgroups = max_cgroups
        self._subjects: Mapping[int, Subject] = {}

    def __call__(self, accept: str) -> tuple[str, Iterator[str]]:
        """Return the content type that a client (by its header Accept) gets, and the text piece by piece.

        The text is in pieces because it has megabytes where there are thousands of cgroups.
        """
        encode, content_type = choose_encoder(accept)
        snapshot = self._sources.ledger.snapshot()
        accounts = sorted(snapshot.accounts, key=lambda account: account.rule.path)
        exported = accounts[: self._max_cgroups]
        registry = CollectorRegistry(auto_describe=False)
        registry.register(DaemonCollector(self._sources, snapshot, len(accounts) - len(exported)))
        ProcessCollector(registry=registry)

        def pieces() -> Iterator[str]:
            governed = self._governed(exported)
            open_metrics = content_type.startswith("application/openmetrics-text")
            for family in FAMILIES:
                yield from family.text(governed, open_metrics=open_metrics)
            # Last, for in OpenMetrics it says where the text ends.
            yield encode(registry).decode()

        return content_type, pieces()

    def _governed(self, accounts: Sequence[Account]) -> list[Governed]:
        # Another mapping each time, for scrapes at the same time: each makes what it lacks.
        known = self._subjects
        subjects: dict[int, Subject] = {}
        for rule in (account.rule for account in accounts):
            subject = known.get(rule.cgroup_id)
            subjects[rule.cgroup_id] = subject if subject and subject.rule is rule else Subject.of(rule)
        self._subjects = subjects
        return [
            Governed(
                subjects[account.rule.cgroup_id],
                account.counters,
                account.reading(self._root),
            )
            for account in accounts
        ]
