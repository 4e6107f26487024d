# SPDX-License-Identifier: GPL-2.0-or-later
"""The methods of io.reclaimd. They run in the daemon's loop, so none of them waits."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from mmap import PAGESIZE as PAGE_BYTES
from pathlib import Path
from typing import Any, Protocol

from varlink import InvalidParameter

from reclaimd import __version__
from reclaimd.backend.base import Ability, EpisodeEnded, RefusedError, StartReason
from reclaimd.cgroup.reading import EVENTS, SHARES
from reclaimd.config.problem import printable
from reclaimd.errors import ReclaimdError
from reclaimd.policy.rule import Rule
from reclaimd.service.control import describe, errors
from reclaimd.service.control.call import Call
from reclaimd.service.control.history import Happened, History
from reclaimd.service.ledger import Account, Ledger, PolicyState

ROOT_UID = 0
US_PER_S = 1_000_000
NS_PER_US = 1_000

#: How many cgroups or events one reply tells of: it stays some tens of KiB long.
GOVERNED_IN_REPLY = 32
EVENTS_IN_REPLY = 64
#: How many events are told to those who do not say how many they want.
DEFAULT_EVENTS = 10
EVENTS_SHOWN = 5

Reply = dict[str, Any]


class Steerable(Protocol):
    """The daemon, as far as the interface can change it; nothing of this waits for anything."""

    def reload(self) -> tuple[str, ...]:
        """Load the configuration anew; return what is wrong with it, a line for each problem."""

    def pause(self, policy: str | None) -> None:
        """Have a policy, or all, only decide and count; raises ReclaimdError if that cannot be."""

    def resume(self, policy: str | None) -> None:
        """End that; raises ReclaimdError if that cannot be."""


class Clients(Protocol):
    """Who calls the interface's methods.

    Attributes:
        dropped_clients: how many had to go to make room for others.
    """

    dropped_clients: int


class Interface:
    """Answers calls; each method's name and parameters are those of io.reclaimd.varlink.

    Args:
        daemon: what to steer.
        ledger: what is in force, and what it has done.
        history: the latest events.
        root: where cgroup2 is mounted.
        clients: the clients that it is offered to.
    """

    def __init__(
        self,
        daemon: Steerable,
        ledger: Ledger,
        history: History,
        root: Path,
        clients: Clients,
    ) -> None:
        self._daemon = daemon
        self._ledger = ledger
        self._history = history
        self._root = root
        self._clients = clients
        self._started_us = time.time_ns() // NS_PER_US

    def Status(self) -> Reply:
        """Return what the daemon is and what it has in force."""
        loading, rules = self._ledger.loading, self._ledger.rules
        return {
            "version": __version__,
            "pid": os.getpid(),
            "backend": self._ledger.backend_name,
            "backend_why": self._ledger.backend_why,
            "started_us": self._started_us,
            "loaded_us": int(loading.succeeded_at * US_PER_S),
            "reload_problems": list(loading.problems),
            "rules": len(rules),
            "policies": [self._policy(policy, rules) for policy in self._ledger.policies],
            "dropped_events": self._ledger.dropped_events(),
            "ungoverned_charges": self._ledger.ungoverned_charges(),
            "dropped_clients": self._clients.dropped_clients,
        }

    def List(self, *, _more: bool = False) -> Iterator[Reply]:
        """Yield the governed cgroups, those of one subtree together."""
        if not _more:
            raise errors.expected_more()
        accounts = sorted(self._ledger.snapshot().accounts, key=lambda account: account.rule.path.split("/"))
        for at in range(0, max(len(accounts), 1), GOVERNED_IN_REPLY):
            some = accounts[at : at + GOVERNED_IN_REPLY]
            is_last = at + GOVERNED_IN_REPLY >= len(accounts)
            yield {"governed": [self._governed(account) for account in some], "_continues": not is_last}

    def Show(self, cgroup: str) -> Reply:
        """Return everything about one governed cgroup."""
        account = self._ledger.account(self._rule(cgroup).cgroup_id)
        if account is None:
            raise errors.no_such_cgroup(cgroup)
        rule, counters = account.rule, account.counters
        reading = account.reading(str(self._root))
        reply = {
            "governed": describe.governed(rule, counters, reading),
            "memory_events": dict(zip(EVENTS, reading.events, strict=True)) if reading else {},
            "stalled_us": dict(zip(SHARES, reading.stalled_us, strict=False)) if reading else {},
            "bounds": describe.bounds(rule.reclaim) if rule.reclaim else None,
            "back_pressure": describe.back_pressure(rule.back_pressure) if rule.back_pressure else None,
            "protection": describe.protection(rule.protect) if rule.protect else None,
            "lacks": self._lacks(rule.policy),
            "triggers_by_reason": describe.by_reason(counters.started_for) if counters else {},
            "episodes_by_reason": describe.by_reason(counters.ended_for) if counters else {},
            "events": _events(self._history.of(rule.path, EVENTS_SHOWN)),
        }
        return {key: value for key, value in reply.items() if value is not None}

    def Events(self, last: int | None, _request: Call, *, _more: bool = False) -> Reply | Iterator[Reply]:
        """Return the latest events; with more, go on with those that come."""
        wanted = min(max(DEFAULT_EVENTS if last is None else last, 0), EVENTS_IN_REPLY)
        start = max(self._history.next_number - wanted, 0)
        if _more:
            return self._follow(start, _request)
        return {"events": _events(self._history.since(start)), "lost": 0}

    def Reload(self, _request: Call) -> Reply:
        """Load the configuration anew."""
        _require_root(_request)
        if problems := self._daemon.reload():
            raise errors.not_reloaded(problems)
        return {}

    def Pause(self, policy: str | None, _request: Call) -> Reply:
        """Have a policy, or all, do nothing."""
        return self._change(self._daemon.pause, policy, _request)

    def Resume(self, policy: str | None, _request: Call) -> Reply:
        """End that."""
        return self._change(self._daemon.resume, policy, _request)

    def Reclaim(self, cgroup: str, size_bytes: int, _request: Call) -> Iterator[Reply]:
        """Have an episode, and tell of it when it has ended."""
        _require_root(_request)
        if size_bytes < PAGE_BYTES:
            raise InvalidParameter("size_bytes")
        rule = self._rule(cgroup)
        start = self._history.next_number
        try:
            self._ledger.reclaim(rule.cgroup_id, size_bytes // PAGE_BYTES)
        except RefusedError as error:
            raise errors.refused(str(error)) from None
        return self._ending(rule, start, _request)

    def _ending(self, rule: Rule, start: int, call: Call) -> Iterator[Reply]:
        def ended() -> Happened | None:
            return next(filter(is_asked_for, self._history.since(start)), None)

        def is_asked_for(happened: Happened) -> bool:
            event = happened.event
            is_ours = event.cgroup_id == rule.cgroup_id
            return is_ours and isinstance(event, EpisodeEnded) and event.started_for is StartReason.REQUESTED

        lost_before = self._ledger.dropped_events()

        def is_over() -> bool:
            if ended() is not None or rule.cgroup_id not in self._ledger.rules:
                return True
            return self._ledger.dropped_events() > lost_before

        call.wait_for(is_over, unsaid=True)
        yield {}
        happened = ended()
        if happened is None and rule.cgroup_id in self._ledger.rules:
            raise errors.refused("the episode has begun, but events were lost, maybe that of its end")
        if happened is None:
            raise errors.no_such_cgroup(printable(rule.path))
        yield {"event": describe.event(happened)}

    def _follow(self, start: int, call: Call) -> Iterator[Reply]:
        def has_come() -> bool:
            return self._history.next_number > start

        while True:
            happened = self._history.since(start, EVENTS_IN_REPLY)
            lost = happened[0].number - start if happened else 0
            start += lost + len(happened)
            call.wait_for(has_come)
            yield {"events": _events(happened), "lost": lost, "_continues": True}

    def _change(self, change: Callable[[str | None], None], policy: str | None, call: Call) -> Reply:
        _require_root(call)
        if policy is not None and policy not in {state.name for state in self._ledger.policies}:
            raise errors.no_such_policy(policy)
        try:
            change(policy)
        except ReclaimdError as error:
            raise errors.refused(str(error)) from None
        return {}

    def _governed(self, account: Account) -> Reply:
        rule = account.rule
        return describe.governed(rule, account.counters, account.reading(str(self._root)))

    def _policy(self, policy: PolicyState, rules: Mapping[int, Rule]) -> Reply:
        return {
            "name": policy.name,
            "mode": policy.mode.value,
            "paused": policy.paused,
            "cgroups": sum(rule.policy == policy.name for rule in rules.values()),
            "lacks": _names(policy.lacks),
            "forbidden_cgroups": self._ledger.forbidden[policy.name],
        }

    def _lacks(self, name: str) -> list[str]:
        lacks = {policy.name: policy.lacks for policy in self._ledger.policies}
        return _names(lacks.get(name, ()))

    def _rule(self, cgroup: str) -> Rule:
        for rule in self._ledger.rules.values():
            if cgroup in (rule.path, printable(rule.path)):
                return rule
        raise errors.no_such_cgroup(cgroup)


def _require_root(call: Call) -> None:
    # A daemon that is not run by root is there to be tried out by whom it is run by.
    if call.peer_uid not in (ROOT_UID, os.geteuid()):
        raise errors.not_permitted()


def _names(abilities: Sequence[Ability]) -> list[str]:
    return [ability.value for ability in abilities]


def _events(happened: Sequence[Happened]) -> list[Reply]:
    return [describe.event(one) for one in happened]
