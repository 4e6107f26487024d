# SPDX-License-Identifier: GPL-2.0-or-later
"""What policies ask for that a backend cannot do, and what is left of them without it."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from reclaimd.backend.base import Ability
from reclaimd.config.loader import LoadedConfig
from reclaimd.config.metric import PSI
from reclaimd.config.models import (
    MAX_SWAPPINESS,
    OnMissing,
    OtherSwappiness,
    Policy,
    Protect,
    ProtectAs,
    Reclaim,
)
from reclaimd.config.problem import InvalidConfigError, Problem, Severity

#: What a policy can lack; the rest is about the configuration as a whole.
OF_POLICIES = tuple(ability for ability in Ability if ability is not Ability.KEEP_ON_STOP)

_PATCHED = "the patched kernel"
_NEEDS: Mapping[Ability, str] = {
    Ability.BACK_PRESSURE: _PATCHED,
    Ability.PROTECT: _PATCHED,
    Ability.THROTTLE: _PATCHED,
    Ability.SWAPPINESS: "a memory.reclaim that takes swappiness=, as since Linux 6.9",
    Ability.SWAPPINESS_ANON_ONLY: "a memory.reclaim that takes swappiness=max, as since Linux 6.15",
    Ability.PSI: "pressure stall information, a kernel with CONFIG_PSI=y and not psi=0",
}


@dataclass(frozen=True, slots=True)
class Fitted:
    """A configuration as one backend can carry it out.

    Attributes:
        loaded: the configuration, without what is missing.
        lacks: what each policy has to do without, by its name; also what none can ask for, FIRST_CHARGE.
        problems: what is to be said about that.
    """

    loaded: LoadedConfig
    lacks: Mapping[str, tuple[Ability, ...]]
    problems: tuple[Problem, ...]

    def require(self) -> None:
        """Refuse what policies do not want to do without.

        Raises:
            InvalidConfigError: one lacks something, and does not say `on_missing: warn`.
        """
        if errors := [problem for problem in self.problems if problem.severity is Severity.ERROR]:
            raise InvalidConfigError(errors)


def fit(loaded: LoadedConfig, backend_name: str, abilities: AbstractSet[Ability]) -> Fitted:
    """Compare what every policy asks for with what a backend can do on this host."""
    policies = loaded.config.policies
    asked = [{key: at for key, at in _asked(policy) if key not in abilities} for policy in policies]
    unasked = () if Ability.FIRST_CHARGE in abilities else (Ability.FIRST_CHARGE,)
    left = tuple(
        _without(policy, abilities) if missing else policy
        for policy, missing in zip(policies, asked, strict=True)
    )
    problems = [
        _problem(loaded, index, ability, at, backend_name)
        for index, missing in enumerate(asked)
        for ability, at in missing.items()
    ]
    if loaded.config.keep_on_stop and Ability.KEEP_ON_STOP not in abilities:
        problems.append(_keeps_nothing(loaded, backend_name))
    return Fitted(
        replace(loaded, config=loaded.config.model_copy(update={"policies": left})),
        {policy.name: (*missing, *unasked) for policy, missing in zip(policies, asked, strict=True)},
        tuple(problems),
    )


def _asked(policy: Policy) -> Iterator[tuple[Ability, tuple[str, ...]]]:
    """Yield what a policy asks for, and the keys below it that do."""
    if policy.back_pressure:
        yield Ability.BACK_PRESSURE, ("back_pressure",)
    if policy.protect and policy.protect.protect_as is not ProtectAs.NONE:
        yield Ability.PROTECT, ("protect", "as")
    if policy.protect and policy.protect.throttle:
        yield Ability.THROTTLE, ("protect", "throttle")
    swappiness = policy.reclaim.swappiness if policy.reclaim else OtherSwappiness.CGROUP
    if swappiness is OtherSwappiness.ANON_ONLY:
        yield Ability.SWAPPINESS_ANON_ONLY, ("reclaim", "swappiness")
    elif swappiness is not OtherSwappiness.CGROUP:
        yield Ability.SWAPPINESS, ("reclaim", "swappiness")
    if at := _psi(policy):
        yield Ability.PSI, at


def _psi(policy: Policy) -> tuple[str, ...] | None:
    """Return the keys of the first that looks at pressure. A stop that is not written does only where start does."""
    combinations = {
        ("reclaim", "start"): policy.reclaim and policy.reclaim.start,
        ("reclaim", "stop"): policy.reclaim and policy.reclaim.stop,
        ("protect", "while"): policy.protect and policy.protect.condition,
    }
    for at, combination in combinations.items():
        if combination and any(condition.metric in PSI for condition in combination.conditions):
            return at
    return None


def _without(policy: Policy, abilities: AbstractSet[Ability]) -> Policy:
    """Return what is left of a policy. What it says of pressure stays: where there is no PSI, pressure counts as none."""
    reclaim, protect = policy.reclaim, policy.protect
    left = {
        "back_pressure": policy.back_pressure if Ability.BACK_PRESSURE in abilities else None,
        "protect": _protect_left(protect, abilities) if protect else None,
        "reclaim": _reclaim_left(reclaim, abilities) if reclaim else None,
    }
    return policy.model_copy(update=left)


def _protect_left(protect: Protect, abilities: AbstractSet[Ability]) -> Protect | None:
    protect_as = protect.protect_as if Ability.PROTECT in abilities else ProtectAs.NONE
    throttle = protect.throttle if Ability.THROTTLE in abilities else ()
    if protect_as is ProtectAs.NONE and not throttle:
        return None
    return protect.model_copy(update={"protect_as": protect_as, "throttle": throttle})


def _reclaim_left(reclaim: Reclaim, abilities: AbstractSet[Ability]) -> Reclaim:
    swappiness = reclaim.swappiness
    if swappiness is OtherSwappiness.ANON_ONLY and Ability.SWAPPINESS_ANON_ONLY not in abilities:
        swappiness = MAX_SWAPPINESS
    if isinstance(swappiness, int) and Ability.SWAPPINESS not in abilities:
        swappiness = OtherSwappiness.CGROUP
    return reclaim.model_copy(update={"swappiness": swappiness})


def _problem(
    loaded: LoadedConfig, index: int, ability: Ability, at: tuple[str, ...], backend_name: str
) -> Problem:
    policy, key = loaded.config.policies[index], ".".join(at)
    key = f"psi in {key}" if ability is Ability.PSI else key
    needs = f"needs {_NEEDS[ability]}, and this host's backend is {backend_name}"
    is_warning = policy.on_missing is OnMissing.WARN
    return Problem(
        position=loaded.position("policies", index, *at),
        text=f"policy '{policy.name}': {key} {needs}" + (": it does without" if is_warning else ""),
        hint=None if is_warning else "set 'on_missing: warn' to run it without, or leave that out",
        severity=Severity.WARNING if is_warning else Severity.ERROR,
        policy=policy.name,
    )


def _keeps_nothing(loaded: LoadedConfig, backend_name: str) -> Problem:
    text = (
        f"keep_on_stop has no effect: with the backend {backend_name} nothing is at work without the daemon"
    )
    return Problem(loaded.position("keep_on_stop"), text, "remove it", Severity.WARNING)
