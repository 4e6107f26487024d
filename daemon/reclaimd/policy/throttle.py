# SPDX-License-Identifier: GPL-2.0-or-later
"""Which cgroups wait while others are protected."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from reclaimd.cgroup.facts import CgroupFacts
from reclaimd.config.models import Config, Mode, Policy
from reclaimd.config.problem import Severity
from reclaimd.policy.findings import Finding, Findings
from reclaimd.policy.match import Matcher
from reclaimd.policy.rule import MAX_THROTTLES, Rule, Throttle

_AT = ("protect", "throttle")

#: The cgroups that each throttle of a policy matches.
_Targets = Sequence[Sequence[CgroupFacts]]


@dataclass(frozen=True, slots=True)
class _Throttling:
    """A policy, and who waits for its cgroups: a matcher for each throttle."""

    index: int
    policy: Policy
    matchers: tuple[Matcher, ...]


class Throttler:
    """Gives rules the throttles that the protection of others asks for.

    Args:
        config: the policies.
        page_bytes: the machine's page size.
    """

    def __init__(self, config: Config, page_bytes: int) -> None:
        self._page_bytes = page_bytes
        self._policies = {
            policy.name: _Throttling(
                index,
                policy,
                tuple(Matcher(each.match) for each in policy.protect.throttle) if policy.protect else (),
            )
            for index, policy in enumerate(config.policies)
        }

    def throttled(
        self, rules: tuple[Rule, ...], cgroups: Iterable[CgroupFacts], findings: Findings
    ) -> tuple[Rule, ...]:
        """Return the rules with their throttles, and rules for cgroups that have nothing but throttles.

        A cgroup does not wait for itself, nor for one that it is in or that is in it: all of them are
        protected together.

        Args:
            rules: without throttles.
            cgroups: all cgroups that may be throttled.
            findings: where to say what cannot be done.
        """
        by_id = {rule.cgroup_id: rule for rule in rules}
        protected = [rule for rule in rules if self._policies[rule.policy].matchers]
        targets = {name: self._targets(name, cgroups) for name in {rule.policy for rule in protected}}
        for rule in protected:
            for target, throttle in self._throttles(rule, targets[rule.policy], findings):
                throttled = by_id.get(target.cgroup_id) or self._throttled_only(target, rule.policy)
                if len(throttled.throttles) == MAX_THROTTLES:
                    self._report_too_many(rule, target.path, findings)
                    continue
                more = (*throttled.throttles, throttle)
                by_id[target.cgroup_id] = replace(throttled, throttles=more)
        return tuple(by_id.values())

    def _throttled_only(self, facts: CgroupFacts, policy: str) -> Rule:
        max_bytes = facts.memory.max_bytes if facts.memory else None
        limit_pages = None if max_bytes is None else max_bytes // self._page_bytes
        return Rule(facts.cgroup_id, facts.path, policy, limit_pages=limit_pages)

    def _targets(self, policy: str, cgroups: Iterable[CgroupFacts]) -> _Targets:
        """Return, for each throttle of a policy, the cgroups that it matches."""
        throttling = self._policies[policy]
        if throttling.policy.mode is Mode.MONITOR:
            return []
        with_memory = [facts for facts in cgroups if facts.memory]
        return [
            [facts for facts in with_memory if matcher.best(facts.path)] for matcher in throttling.matchers
        ]

    def _throttles(
        self, protected: Rule, targets: _Targets, findings: Findings
    ) -> Iterator[tuple[CgroupFacts, Throttle]]:
        throttling = self._policies[protected.policy]
        protect = throttling.policy.protect
        throttles = protect.throttle if protect else ()
        for place, (throttle, matching) in enumerate(zip(throttles, targets, strict=False)):
            others = [facts for facts in matching if not _related(facts.path, protected.path)]
            if not others:
                text, hint = "throttles no cgroup at present", "it takes effect when one appears"
                findings.add(Finding(Severity.WARNING, throttling.index, (*_AT, place, "match"), text, hint))
            for facts in others:
                yield facts, Throttle(protected.cgroup_id, throttle.delay.duration_ms)

    def _report_too_many(self, protected: Rule, path: str, findings: Findings) -> None:
        index = self._policies[protected.policy].index
        text = f"it is throttled for more than {MAX_THROTTLES} cgroups, of which only the first count"
        hint = "protect fewer cgroups at its cost, or match their parent"
        findings.add(Finding(Severity.ERROR, index, _AT, text, hint), path)


def _related(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")
