# SPDX-License-Identifier: GPL-2.0-or-later
"""A host for the commands that does not depend on the one that the tests run on."""

from collections.abc import Callable

import pytest

from reclaimd.backend.base import Ability
from reclaimd.backend.choose import Decision, Expected
from reclaimd.cli import outlook
from reclaimd.config.models import BackendChoice
from reclaimd.errors import ReclaimdError

#: Has the host offer a backend with these abilities, or none, for this reason.
Offer = Callable[[BackendChoice, frozenset[Ability] | ReclaimdError], None]


@pytest.fixture(autouse=True)
def offer(monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Decides what the host offers: bpf with everything, unless a test says otherwise."""

    def offer(backend: BackendChoice, abilities: frozenset[Ability] | ReclaimdError) -> None:
        def expected(*_: object) -> Expected:
            if isinstance(abilities, ReclaimdError):
                raise abilities
            return Expected(Decision(backend, "the tests say so"), abilities)

        monkeypatch.setattr(outlook, "expected", expected)

    offer(BackendChoice.BPF, frozenset(Ability))
    return offer
