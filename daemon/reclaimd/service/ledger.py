# SPDX-License-Identifier: GPL-2.0-or-later
"""What is in force and what it has done: the backend and its rules, behind one lock.

The loop applies rules and takes events, a scrape reads from a thread of its own. A backend need not be safe
against that, so every call to it goes through here, one at a time. A scrape may so hold up the loop for as
long as reading the statistics takes; the kernel goes on reclaiming meanwhile.
"""

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reclaimd.backend.base import Ability, Backend, CgroupGone, Counters, Event
from reclaimd.cgroup.reading import Reading, take_reading
from reclaimd.config.models import Mode
from reclaimd.policy.rule import Rule

#: Names of cgroups that lost their rule, kept for the events about them that are still on their way.
MAX_FORMER_NAMES = 1024


@dataclass(frozen=True, slots=True)
class Name:
    """What people call a governed cgroup: its path below the cgroup2 root and the policy that governs it."""

    cgroup: str
    policy: str


@dataclass(frozen=True, slots=True)
class Account:
    """One rule in force and what it has done; no counters where the backend has none for it (yet)."""

    rule: Rule
    counters: Counters | None

    def reading(self, root: str) -> Reading | None:
        """Return what the cgroup's own accounts say, as the backend has read them or as they are below the root."""
        if self.counters is not None and self.counters.reading is not None:
            return self.counters.reading
        return take_reading(root, self.rule.path, self.rule.cgroup_id)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every account at one moment, lost events, charges without a rule, and looks at cgroups that came late."""

    accounts: tuple[Account, ...]
    dropped_events: int
    ungoverned_charges: int
    postponed_looks: int


@dataclass(frozen=True, slots=True)
class Loading:
    """How the configuration was last loaded.

    Attributes:
        succeeded_at: when what is in force was loaded, in seconds since 1970.
        problems: what was wrong with a newer one, which therefore is not in force: a line for each.
    """

    succeeded_at: float
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyState:
    """A policy of the configuration in force: its mode as written, whether it is paused, what it has to do without."""

    name: str
    mode: Mode
    paused: bool
    lacks: tuple[Ability, ...] = ()


class Ledger:
    """Owns a backend from its opening to its closing; every method may be called from any thread.

    Args:
        backend: without rules yet.
        why: why it is this one.

    Attributes:
        backend_why: the same.
        loading: how the configuration was last loaded; a new one is put in its place.
        policies: those of the configuration in force; likewise.
        forbidden: how many cgroups each policy matches that may not be governed; likewise.
    """

    def __init__(self, backend: Backend, why: str = "") -> None:
        self.backend_why = why
        self.loading = Loading(time.time())
        self.policies: tuple[PolicyState, ...] = ()
        self.forbidden: Counter[str] = Counter()
        self._backend = backend
        self._lock = threading.Lock()
        self._rules: dict[int, Rule] = {}
        self._former_names: dict[int, Name] = {}
        self._closed = False

    @property
    def backend_name(self) -> str:
        """The backend's name, such as "bpf"."""
        return self._backend.name

    @property
    def features(self) -> Mapping[str, bool]:
        """What the backend looked for on this host, and whether it is there."""
        return self._backend.features

    @property
    def abilities(self) -> frozenset[Ability]:
        """What the backend can do on this host, of what policies may ask for."""
        return self._backend.abilities

    def may_govern(self, path: str) -> bool:
        """Tell whether this process may reclaim from the cgroup at a path."""
        return self._backend.may_govern(path)

    @property
    def rules(self) -> Mapping[int, Rule]:
        """The rules in force by cgroup id; another mapping whenever they change."""
        return self._rules

    def apply(self, rules: Sequence[Rule]) -> None:
        """Replace the rules in force.

        Raises:
            HostError: the backend cannot; what was in force still is.
        """
        with self._lock:
            self._backend.apply(rules)
            self._replace({rule.cgroup_id: rule for rule in rules})

    def reclaim(self, cgroup_id: int, pages: int) -> None:
        """Begin an episode that ends once it has reclaimed so much, if not before.

        Raises:
            RefusedError: the cgroup has no rule that reclaims, or an episode is under way.
        """
        with self._lock:
            self._backend.reclaim(cgroup_id, pages)

    def pollables(self) -> list[int]:
        """Return the fds to wait on; changes with each apply() and take_events()."""
        with self._lock:
            return list(self._backend.pollables())

    def take_events(self) -> list[Event]:
        """Return what happened since the last call; never blocks."""
        with self._lock:
            events = self._backend.events()
            gone = {event.cgroup_id for event in events if isinstance(event, CgroupGone)}
            if gone & self._rules.keys():
                self._replace({key: rule for key, rule in self._rules.items() if key not in gone})
            return events

    def name_of(self, cgroup_id: int) -> Name | None:
        """Return the name of a cgroup that is governed or lately was."""
        if rule := self._rules.get(cgroup_id):
            return Name(rule.path, rule.policy)
        return self._former_names.get(cgroup_id)

    def snapshot(self) -> Snapshot:
        """Return all accounts as they stand; empty once closed."""
        with self._lock:
            if self._closed:
                return Snapshot((), 0, 0, 0)
            counters = self._backend.stats()
            accounts = tuple(
                Account(rule, counters.get(cgroup_id)) for cgroup_id, rule in self._rules.items()
            )
            backend = self._backend
            return Snapshot(
                accounts, backend.dropped_events(), backend.ungoverned_charges(), backend.postponed_looks()
            )

    def account(self, cgroup_id: int) -> Account | None:
        """Return one account; None if there is no such rule (any more)."""
        accounts = self.snapshot().accounts
        return next((account for account in accounts if account.rule.cgroup_id == cgroup_id), None)

    def dropped_events(self) -> int:
        """Return how many events the kernel had no room for."""
        with self._lock:
            return 0 if self._closed else self._backend.dropped_events()

    def ungoverned_charges(self) -> int:
        """Return how many charges met no rule."""
        with self._lock:
            return 0 if self._closed else self._backend.ungoverned_charges()

    def detach(self) -> None:
        """Take all rules away, and close; idempotent."""
        with self._lock:
            self._backend.detach()
        self.close()

    def close(self) -> None:
        """Give the backend up; rules that it can leave in force stay so. Idempotent."""
        with self._lock:
            self._closed = True
            self._rules = {}
            self._backend.close()

    def _replace(self, rules: dict[int, Rule]) -> None:
        for cgroup_id in self._rules.keys() - rules.keys():
            self._forget(cgroup_id)
        self._rules = rules

    def _forget(self, cgroup_id: int) -> None:
        rule = self._rules[cgroup_id]
        self._former_names[cgroup_id] = Name(rule.path, rule.policy)
        if len(self._former_names) > MAX_FORMER_NAMES:
            del self._former_names[next(iter(self._former_names))]
