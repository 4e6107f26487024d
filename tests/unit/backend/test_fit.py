# SPDX-License-Identifier: GPL-2.0-or-later
"""What policies lack on a backend: refused or left out, and always told."""

import pytest

from reclaimd.backend.base import Ability
from reclaimd.backend.fit import Fitted, fit
from reclaimd.config import parse_config
from reclaimd.config.models import MAX_SWAPPINESS, OtherSwappiness, Policy, ProtectAs
from reclaimd.config.problem import InvalidConfigError, Severity

EVERYTHING = frozenset(Ability)
NOTHING: frozenset[Ability] = frozenset()
RECLAIM = "reclaim: {start: 75%}"
PRESSURE = "back_pressure: {start: 90%, max_delay: 100ms}"
PROTECT = "protect: {as: low, while: {pgfaults: 5000/s}}"
THROTTLE = "throttle: [{match: /b, delay: 20ms}]"
ONLY_THROTTLE = f"protect: {{as: none, while: {{pgfaults: 1/s}}, {THROTTLE}}}"
BOTH = f"protect: {{as: low, while: {{pgfaults: 1/s}}, {THROTTLE}}}"
WARN = "on_missing: warn"


def fitted(*keys: str, abilities: frozenset[Ability] = NOTHING, head: str = "") -> Fitted:
    """Fit one policy with these keys."""
    lines = ["policies:", "  - name: batch", "    match: /a", *(f"    {key}" for key in keys)]
    return fit(parse_config("\n".join([*lines, head]).encode(), "f.yaml"), "memory.reclaim", abilities)


def left(*keys: str, abilities: frozenset[Ability] = NOTHING) -> Policy:
    """Return what is left of one policy that warns."""
    (policy,) = fitted(WARN, *keys, abilities=abilities).loaded.config.policies
    return policy


def test_nothing_is_said_where_everything_can_be_done() -> None:
    found = fitted(RECLAIM, PRESSURE, BOTH, abilities=EVERYTHING)
    assert (found.problems, found.lacks) == ((), {"batch": ()})
    found.require()


@pytest.mark.parametrize(
    ("keys", "lacking"),
    [
        ([RECLAIM], ()),
        ([RECLAIM, PRESSURE], (Ability.BACK_PRESSURE,)),
        ([PROTECT], (Ability.PROTECT,)),
        ([ONLY_THROTTLE], (Ability.THROTTLE,)),
        ([BOTH], (Ability.PROTECT, Ability.THROTTLE)),
        (["reclaim: {start: 75%, swappiness: cgroup}"], ()),
        (["reclaim: {start: 75%, swappiness: 0}"], (Ability.SWAPPINESS,)),
        (["reclaim: {start: 75%, swappiness: anon-only}"], (Ability.SWAPPINESS_ANON_ONLY,)),
        (["reclaim: {start: {psi: {some: 10%}}}"], (Ability.PSI,)),
        (["reclaim: {start: 75%, stop: {psi: {full: 10%}}}"], (Ability.PSI,)),
        (["protect: {as: low, while: {psi: {some: 10%}}}"], (Ability.PROTECT, Ability.PSI)),
    ],
)
def test_what_a_policy_asks_for_and_cannot_have_is_lacking(
    keys: list[str], lacking: tuple[Ability, ...]
) -> None:
    assert fitted(*keys).lacks == {"batch": (*lacking, Ability.FIRST_CHARGE)}


def test_the_first_charges_are_missed_without_a_word() -> None:
    found = fitted(RECLAIM)
    assert found.lacks == {"batch": (Ability.FIRST_CHARGE,)}
    assert not found.problems
    found.require()


def test_a_policy_that_lacks_something_is_refused_in_one_line() -> None:
    with pytest.raises(InvalidConfigError) as refused:
        fitted(RECLAIM, PRESSURE).require()
    assert str(refused.value) == (
        "f.yaml:5:20: policy 'batch': back_pressure needs the patched kernel, and this host's backend is"
        " memory.reclaim; set 'on_missing: warn' to run it without, or leave that out"
    )


def test_a_policy_that_warns_is_not_refused() -> None:
    found = fitted(WARN, RECLAIM, PRESSURE)
    found.require()
    (problem,) = found.problems
    assert problem.severity is Severity.WARNING
    assert str(problem) == (
        "f.yaml:6:20: warning: policy 'batch': back_pressure needs the patched kernel, and this host's backend is"
        " memory.reclaim: it does without"
    )


def test_pressure_is_named_by_where_it_is_looked_at() -> None:
    (problem,) = fitted("reclaim: {start: 75%, stop: {psi: {full: 10%}}}").problems
    assert "psi in reclaim.stop needs pressure stall information" in problem.text


def test_what_is_refused_is_left_as_it_is_written_only_where_it_can_be_done() -> None:
    assert fitted(RECLAIM, PRESSURE, abilities=EVERYTHING).loaded.config.policies[0].back_pressure
    assert left(RECLAIM, PRESSURE).back_pressure is None


def test_of_protection_what_can_be_done_is_left() -> None:
    assert left(BOTH).protect is None
    without_protect, without_throttle = EVERYTHING - {Ability.PROTECT}, EVERYTHING - {Ability.THROTTLE}
    throttling = left(BOTH, abilities=without_protect).protect
    assert throttling
    assert throttling.protect_as is ProtectAs.NONE
    assert throttling.throttle
    sparing = left(BOTH, abilities=without_throttle).protect
    assert sparing
    assert (sparing.protect_as, sparing.throttle) == (ProtectAs.LOW, ())


@pytest.mark.parametrize(
    ("written", "abilities", "becomes"),
    [
        ("60", NOTHING, OtherSwappiness.CGROUP),
        ("60", {Ability.SWAPPINESS}, 60),
        ("anon-only", NOTHING, OtherSwappiness.CGROUP),
        ("anon-only", {Ability.SWAPPINESS}, MAX_SWAPPINESS),
        ("anon-only", {Ability.SWAPPINESS_ANON_ONLY}, OtherSwappiness.ANON_ONLY),
    ],
)
def test_swappiness_is_as_close_as_the_kernel_gets(
    written: str, abilities: set[Ability], becomes: object
) -> None:
    reclaim = left(f"reclaim: {{start: 75%, swappiness: {written}}}", abilities=frozenset(abilities)).reclaim
    assert reclaim
    assert reclaim.swappiness == becomes


def test_keeping_rules_that_nobody_carries_out_is_odd() -> None:
    (problem,) = fitted(RECLAIM, head="keep_on_stop: true").problems
    assert problem.severity is Severity.WARNING
    assert "keep_on_stop has no effect" in str(problem)
    assert not fitted(RECLAIM, head="keep_on_stop: true", abilities=EVERYTHING).problems
