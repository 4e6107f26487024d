# SPDX-License-Identifier: GPL-2.0-or-later
"""A configuration and the cgroups that there are to rules.

When several policies match one cgroup, the one with the most specific glob governs it (see
reclaimd.policy.match.Specificity); if two are equally specific, neither does and that is an error.
Where a policy cannot be carried out for a cgroup, nothing is done to that cgroup.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reclaimd.cgroup.facts import CgroupFacts
from reclaimd.cgroup.machine import Machine
from reclaimd.cgroup.tree import paths_above
from reclaimd.config.loader import LoadedConfig
from reclaimd.config.models import Policy
from reclaimd.config.problem import Problem, Severity
from reclaimd.policy.findings import Finding, Findings
from reclaimd.policy.match import GlobMatcher, Matcher
from reclaimd.policy.remark import CannotResolveError, Remark
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
    """Resolve every policy for every cgroup that it governs; see PolicyResolver."""
    return PolicyResolver(loaded, page_bytes).resolve(cgroups, machine)


class PolicyResolver:
    """Resolves the policies of a configuration, time and again as the cgroups change.

    A rule that came out the last time is used again for a cgroup of which nothing has changed.

    Args:
        loaded: the configuration.
        page_bytes: the machine's page size.
    """

    def __init__(self, loaded: LoadedConfig, page_bytes: int) -> None:
        self._loaded = loaded
        self._page_bytes = page_bytes
        self._matchers = tuple(Matcher(policy.match) for policy in loaded.config.policies)
        self._throttler = Throttler(loaded.config, page_bytes)
        self._made: _MadeById = {}

    def resolve(self, cgroups: Iterable[CgroupFacts], machine: Machine) -> Resolution:
        """Resolve every policy for every cgroup that it governs.

        Args:
            cgroups: those that a policy matches, and all that they are in, whose limits hold for them too.
            machine: its memory and swap.
        """
        by_path = {facts.path: facts for facts in cgroups}
        maker = RuleMaker(self._page_bytes, machine)
        resolving = _Resolving(self._loaded, self._matchers, by_path, maker, self._made)
        resolution = resolving.resolution(self._throttler)
        self._made = resolving.made
        return resolution


def limits_above_of(path: str, cgroups: Mapping[str, CgroupFacts]) -> tuple[Limit, ...]:
    """Return the limits of the cgroups that one is in, the nearest first."""
    limits = []
    for each in paths_above(path):
        above = cgroups.get(each)
        if above and above.memory and above.memory.max_bytes is not None:
            limits.append(Limit(each, above.memory.max_bytes))
    return tuple(limits)


@dataclass(slots=True)
class _Candidate:
    """A policy, and what became of it."""

    index: int
    policy: Policy
    matcher: Matcher
    matched: int = 0
    governed: int = 0
    tied: int = 0


@dataclass(frozen=True, slots=True)
class _Grounds:
    """What decides what a policy comes to for a cgroup; neither who it is nor how much it uses does."""

    policy_index: int
    max_bytes: int | None
    high_bytes: int | None
    has_memory: bool
    limits_above: tuple[Limit, ...]
    machine: Machine


@dataclass(frozen=True, slots=True)
class _Made:
    """What a policy came to: the rule, or None if there can be none, and what is to be said about it."""

    grounds: _Grounds
    rule: Rule | None
    remarks: tuple[tuple[Severity, Remark], ...]


#: By cgroup id, which is never used again.
_MadeById = dict[int, _Made]


class _Resolving:
    """One resolution; `made` is what came out for each cgroup."""

    def __init__(
        self,
        loaded: LoadedConfig,
        matchers: Sequence[Matcher],
        cgroups: Mapping[str, CgroupFacts],
        maker: RuleMaker,
        made_before: _MadeById,
    ) -> None:
        self.made: _MadeById = {}
        self._made_before = made_before
        # For many alike: cgroups of one policy tend to have one limit.
        self._made_for: dict[_Grounds, _Made] = {}
        self._loaded = loaded
        self._cgroups = cgroups
        self._maker = maker
        self._findings = Findings(loaded)
        self._candidates = [
            _Candidate(index, policy, matcher)
            for index, (policy, matcher) in enumerate(zip(loaded.config.policies, matchers, strict=True))
        ]

    def resolution(self, throttler: Throttler) -> Resolution:
        rules = throttler.throttled(tuple(self._rules()), self._cgroups.values(), self._findings)
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
        memory = facts.memory
        grounds = _Grounds(
            policy_index=candidate.index,
            max_bytes=memory.max_bytes if memory else None,
            high_bytes=memory.high_bytes if memory else None,
            has_memory=memory is not None,
            limits_above=limits_above_of(facts.path, self._cgroups),
            machine=self._maker.machine,
        )
        made = self._made_before.get(facts.cgroup_id)
        if made is None or made.grounds != grounds or (made.rule and made.rule.path != facts.path):
            made = self._make(candidate.policy, facts, grounds)
        self.made[facts.cgroup_id] = made
        for severity, remark in made.remarks:
            finding = Finding(severity, candidate.index, remark.at, remark.text, remark.hint)
            self._findings.add(finding, facts.path)
        return made.rule

    def _make(self, policy: Policy, facts: CgroupFacts, grounds: _Grounds) -> _Made:
        made = self._made_for.get(grounds) or self._make_first(policy, facts, grounds)
        if made.rule is None:
            # What is in the way may be something about this cgroup alone.
            return made
        self._made_for[grounds] = made
        return replace(made, rule=replace(made.rule, cgroup_id=facts.cgroup_id, path=facts.path))

    def _make_first(self, policy: Policy, facts: CgroupFacts, grounds: _Grounds) -> _Made:
        try:
            rule, remarks = self._maker.rule(policy, facts, grounds.limits_above)
        except CannotResolveError as error:
            return _Made(grounds, None, ((Severity.ERROR, error.remark),))
        return _Made(grounds, rule, tuple((Severity.WARNING, remark) for remark in remarks))

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
