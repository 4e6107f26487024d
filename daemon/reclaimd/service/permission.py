# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules only for cgroups that this process may govern; of each other one it is said once."""

from collections import Counter
from collections.abc import Iterable

from structlog.typing import FilteringBoundLogger

from reclaimd.policy.rule import Rule
from reclaimd.service.ledger import Ledger


class Permission:
    """Leaves out what the backend may not govern, and has the ledger know of how many.

    Args:
        ledger: whose backend it is about.
        logger: where to say it.
    """

    def __init__(self, ledger: Ledger, logger: FilteringBoundLogger) -> None:
        self._ledger = ledger
        self._logger = logger
        #: The cgroups that it was said of, by id, and for which policy.
        self._said: set[tuple[int, str]] = set()

    def permitted(self, rules: Iterable[Rule]) -> tuple[Rule, ...]:
        """Return those rules that are for cgroups that may be governed."""
        permitted: list[Rule] = []
        forbidden: list[Rule] = []
        for rule in rules:
            (permitted if self._ledger.may_govern(rule.path) else forbidden).append(rule)
        for rule in forbidden:
            if (rule.cgroup_id, rule.policy) not in self._said:
                self._logger.warning("not permitted", cgroup=rule.path, policy=rule.policy)
        self._said = {(rule.cgroup_id, rule.policy) for rule in forbidden}
        self._ledger.forbidden = Counter(rule.policy for rule in forbidden)
        return tuple(permitted)
