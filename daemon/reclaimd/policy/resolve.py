# SPDX-License-Identifier: GPL-2.0-or-later
"""A configuration and the cgroups that there are to rules.

When several policies match one cgroup, the one with the most specific glob governs it (see
reclaimd.policy.match.Specificity); if two are equally specific, neither does and that is an error.
Where a policy cannot be carried out for a cgroup, nothing is done to that cgroup.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from reclaimd.cgroup.facts import CgroupFacts
from reclaimd.cgroup.machine import Machine
from reclaimd.config.loader import LoadedConfig
from reclaimd.config.models import Policy
from reclaimd.config.problem import Problem, Severity
from reclaimd.policy.findings import Finding, Findings
from reclaimd.policy.match import GlobMatcher, Matcher
from reclaimd.policy.remark import CannotResolveError
from reclaimd.policy.rule import Rule
from reclaimd.policy.rule_maker import Limit, RuleMaker
from reclaimd.policy.throttle import Throttler


@dataclass(frozen=True, slots=True)
class Resolution:
    """The rules to put in force, and what is to be said about the policies."""

    rules: tuple[Rule, ...]
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep a policy from being carried out for a cgroup."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """The problems that an administrator should know of."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.WARNING)


def resolve(
    loaded: LoadedConfig, cgroups: Iterable[CgroupFacts], *, page_bytes: int, machine: Machine
) -> Resolution:
    """Resolve every policy for every cgroup that it governs.

    Args:
        loaded: the configuration.
        cgroups: all cgroups below the root, for a limit further up holds for those below it too.
        page_bytes: the machine's page size.
        machine: its memory and swap.
    """
    by_path = {facts.path: facts for facts in cgroups}
    return _Resolver(loaded, by_path, RuleMaker(page_bytes, machine)).resolution()


@dataclass(slots=True)
class _Candidate:
    """A policy, and what became of it."""

    index: int
    policy: Policy
    matcher: Matcher
    matched: int = 0
    governed: int = 0
    tied: int = 0


class _Resolver:
    def __init__(self, loaded: LoadedConfig, cgroups: dict[str, CgroupFacts], maker: RuleMaker) -> None:
        self._loaded = loaded
        self._cgroups = cgroups
        self._maker = maker
        self._findings = Findings(loaded)
        self._candidates = [
            _Candidate(index, policy, Matcher(policy.match))
            for index, policy in enumerate(loaded.config.policies)
        ]

    def resolution(self) -> Resolution:
        throttler = Throttler(self._loaded.config, self._cgroups.values(), self._findings)
        rules = throttler.throttled(tuple(self._rules()))
        for candidate in self._candidates:
            self._report_unused(candidate)
        problems = self._findings.problems()
        if not self._candidates:
            where = self._loaded.position("policies")
            text, hint = "there are no policies: nothing is governed", "add one below 'policies:'"
            problems = (Problem(where, text, hint, Severity.WARNING),)
        return Resolution(rules, problems)

    def _rules(self) -> Iterator[Rule]:
        for facts in self._cgroups.values():
            if (candidate := self._governing(facts.path)) and (rule := self._rule(candidate, facts)):
                yield rule

    def _governing(self, path: str) -> _Candidate | None:
        found = [
            (candidate, glob) for candidate in self._candidates if (glob := candidate.matcher.best(path))
        ]
        if not found:
            return None
        best = max(glob.specificity for _, glob in found)
        winners = [(candidate, glob) for candidate, glob in found if glob.specificity == best]
        for candidate, _ in found:
            candidate.matched += 1
        if len(winners) > 1:
            self._report_tie(winners, path)
            return None
        winners[0][0].governed += 1
        return winners[0][0]

    def _rule(self, candidate: _Candidate, facts: CgroupFacts) -> Rule | None:
        try:
            rule, remarks = self._maker.rule(candidate.policy, facts, self._limits_above(facts.path))
        except CannotResolveError as error:
            remark = error.remark
            finding = Finding(Severity.ERROR, candidate.index, remark.at, remark.text, remark.hint)
            self._findings.add(finding, facts.path)
            return None
        for remark in remarks:
            finding = Finding(Severity.WARNING, candidate.index, remark.at, remark.text, remark.hint)
            self._findings.add(finding, facts.path)
        return rule

    def _limits_above(self, path: str) -> list[Limit]:
        limits = []
        while path := path.rpartition("/")[0]:
            above = self._cgroups.get(path)
            if above and above.memory and above.memory.max_bytes is not None:
                limits.append(Limit(path, above.memory.max_bytes))
        return limits

    def _report_tie(self, winners: Sequence[tuple[_Candidate, GlobMatcher]], path: str) -> None:
        for candidate, _ in winners:
            candidate.tied += 1
        (one, one_glob), (other, other_glob) = winners[0], winners[1]
        text = (
            f"policy '{other.policy.name}' matches as specifically ({other_glob.glob}) as this one"
            f" ({one_glob.glob}), so neither governs it"
        )
        hint = "exclude it in one of them, or match it more specifically in one"
        self._findings.add(Finding(Severity.ERROR, one.index, ("match",), text, hint), path)

    def _report_unused(self, candidate: _Candidate) -> None:
        if candidate.governed or candidate.tied:
            return
        if candidate.matched:
            text, hint = (
                "every cgroup that it matches is governed by a more specific policy",
                "remove it, or widen its match",
            )
        else:
            text = "matches no cgroup at present"
            hint = "it takes effect when one appears; systemd-cgls shows those that exist"
        self._findings.add(Finding(Severity.WARNING, candidate.index, ("match",), text, hint))
