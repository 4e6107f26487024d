# SPDX-License-Identifier: GPL-2.0-or-later
"""Which cgroups wait while others are protected."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from reclaimd.cgroup.facts import CgroupFacts
from reclaimd.config.models import Config, Mode
from reclaimd.config.problem import Severity
from reclaimd.policy.findings import Finding, Findings
from reclaimd.policy.match import Matcher
from reclaimd.policy.rule import MAX_THROTTLES, Rule, Throttle

_AT = ("protect", "throttle")


class Throttler:
    """Gives rules the throttles that the protection of others asks for.

    Args:
        config: the policies.
        cgroups: all cgroups there are.
        findings: where to say what cannot be done.
    """

    def __init__(self, config: Config, cgroups: Iterable[CgroupFacts], findings: Findings) -> None:
        self._policies = {policy.name: (index, policy) for index, policy in enumerate(config.policies)}
        self._cgroups = [facts for facts in cgroups if facts.memory]
        self._findings = findings

    def throttled(self, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        """Return the rules with their throttles, and rules for cgroups that have nothing but throttles.

        A cgroup does not wait for itself, nor for one that it is in or that is in it: all of them are
        protected together.
        """
        by_id = {rule.cgroup_id: rule for rule in rules}
        for protected in rules:
            for target, throttle in self._throttles(protected):
                rule = by_id.get(target.cgroup_id) or Rule(target.cgroup_id, target.path, protected.policy)
                if len(rule.throttles) == MAX_THROTTLES:
                    self._report_too_many(protected, target.path)
                    continue
                by_id[target.cgroup_id] = replace(rule, throttles=(*rule.throttles, throttle))
        return tuple(by_id.values())

    def _throttles(self, protected: Rule) -> Iterator[tuple[CgroupFacts, Throttle]]:
        index, policy = self._policies[protected.policy]
        if policy.protect is None or policy.mode is Mode.MONITOR:
            return
        for place, throttle in enumerate(policy.protect.throttle):
            matcher = Matcher(throttle.match)
            targets = [
                facts
                for facts in self._cgroups
                if matcher.best(facts.path) and not _related(facts.path, protected.path)
            ]
            if not targets:
                text, hint = "throttles no cgroup at present", "it takes effect when one appears"
                self._findings.add(Finding(Severity.WARNING, index, (*_AT, place, "match"), text, hint))
            for facts in targets:
                yield facts, Throttle(protected.cgroup_id, throttle.delay.duration_ms)

    def _report_too_many(self, protected: Rule, path: str) -> None:
        index, _ = self._policies[protected.policy]
        text = f"it is throttled for more than {MAX_THROTTLES} cgroups, of which only the first count"
        hint = "protect fewer cgroups at its cost, or match their parent"
        self._findings.add(Finding(Severity.ERROR, index, _AT, text, hint), path)


def _related(one: str, other: str) -> bool:
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")
