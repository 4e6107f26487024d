# SPDX-License-Identifier: GPL-2.0-or-later
"""The ledger's accounts follow the rules and the events."""

import threading
from collections.abc import Sequence

import pytest

from reclaimd.backend.base import CgroupGone
from reclaimd.errors import HostError
from reclaimd.policy.rule import Reclaim, Rule
from reclaimd.service import ledger as ledger_module
from reclaimd.service.ledger import Ledger, Name
from tests.unit.rules import at_usage
from tests.unit.service.memory_backend import MemoryBackend

TIMEOUT_S = 10.0


def rule(cgroup_id: int, path: str = "/batch/a") -> Rule:
    """Make a rule of 24 and 22 MiB in pages of 4 KiB."""
    return Rule(
        cgroup_id=cgroup_id,
        path=path,
        policy="batch",
        reclaim=Reclaim(at_usage(6144), at_usage(5632)),
        limit_pages=8192,
    )


@pytest.fixture
def backend() -> MemoryBackend:
    """A backend without rules."""
    return MemoryBackend()


@pytest.fixture
def ledger(backend: MemoryBackend) -> Ledger:
    """A ledger on that backend, with one rule."""
    ledger = Ledger(backend)
    ledger.apply([rule(1)])
    return ledger


def test_a_cgroup_that_has_gone_is_no_longer_governed(ledger: Ledger, backend: MemoryBackend) -> None:
    backend.event_happens(CgroupGone(1))
    ledger.take_events()
    assert ledger.rules == {}
    assert ledger.snapshot().accounts == ()


def test_a_cgroup_that_has_gone_keeps_its_name_for_late_events(
    ledger: Ledger, backend: MemoryBackend
) -> None:
    backend.event_happens(CgroupGone(1))
    ledger.take_events()
    assert ledger.name_of(1) == Name("/batch/a", "batch")


def test_names_of_former_cgroups_do_not_pile_up(ledger: Ledger) -> None:
    for cgroup_id in range(2, ledger_module.MAX_FORMER_NAMES + 3):
        ledger.apply([rule(cgroup_id, f"/batch/{cgroup_id}")])
    assert ledger.name_of(1) is None
    assert ledger.name_of(2) is not None


def test_refused_rules_leave_the_accounts_as_they_were(ledger: Ledger, backend: MemoryBackend) -> None:
    def refuse(_rules: Sequence[Rule]) -> None:
        raise HostError("no room")

    backend.before_apply = refuse
    with pytest.raises(HostError):
        ledger.apply([rule(2)])
    assert ledger.rules == {1: rule(1)}


def test_a_snapshot_of_a_closed_ledger_is_empty(ledger: Ledger) -> None:
    ledger.close()
    ledger.close()
    assert ledger.snapshot().accounts == ()


def test_no_snapshot_is_taken_while_rules_change(ledger: Ledger, backend: MemoryBackend) -> None:
    changing, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def pause(_rules: Sequence[Rule]) -> None:
        changing.set()
        assert go_on.wait(TIMEOUT_S)

    def snapshot() -> None:
        assert [account.rule.cgroup_id for account in ledger.snapshot().accounts] == [2]
        done.set()

    backend.before_apply = pause
    applying = threading.Thread(target=ledger.apply, args=([rule(2)],))
    applying.start()
    assert changing.wait(TIMEOUT_S)
    reading = threading.Thread(target=snapshot)
    reading.start()
    go_on.set()
    assert done.wait(TIMEOUT_S)
    applying.join()
    reading.join()
