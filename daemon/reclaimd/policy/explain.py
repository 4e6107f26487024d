# SPDX-License-Identifier: GPL-2.0-or-later
"""Which policy governs a cgroup, why this one, and what it comes to there."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reclaimd.cgroup.facts import CgroupFacts, Memory
from reclaimd.cgroup.machine import Machine
from reclaimd.cgroup.tree import paths_above
from reclaimd.config.loader import LoadedConfig
from reclaimd.config.models import Policy
from reclaimd.config.problem import Position
from reclaimd.policy.figures import Figure, Figures, Origins
from reclaimd.policy.match import GlobMatcher, Matcher, Specificity
from reclaimd.policy.remark import CannotResolveError, Remark
from reclaimd.policy.resolve import PolicyResolver, limits_above_of
from reclaimd.policy.rule import Rule
from reclaimd.policy.rule_maker import RuleMaker


class Standing(StrEnum):
    """What became of a policy that has something to do with a cgroup."""

    GOVERNS = "governs"
    TIED = "tied"
    LESS_SPECIFIC = "less specific"
    EXCLUDED = "excluded"


@dataclass(frozen=True, slots=True)
class Contender:
    """A policy of which a glob matches the cgroup.

    Attributes:
        policy: its name.
        position: where it stands.
        glob: the most specific of its globs that match.
        standing: what became of it.
        why: the reason, in words.
    """

    policy: str
    position: Position
    glob: str
    standing: Standing
    why: str


@dataclass(frozen=True, slots=True)
class Above:
    """A cgroup further up that has a rule, which holds for what is below it too."""

    path: str
    exists: bool
    policy: str
    figures: tuple[Figure, ...]
    rule: Rule


@dataclass(frozen=True, slots=True)
class Explanation:
    """What holds for one cgroup.

    Attributes:
        path: the cgroup.
        exists: whether there is such a cgroup; if not, it is looked at as one would be that was just made,
            and has no limits yet.
        policy: the name of the policy that is for it, None if none is.
        hindrance: why that policy cannot be carried out for it.
        contenders: the policies that match it or would but for an exclusion, the one that governs it first.
        rule: what the policy comes to, throttles included; None if there is none, or it cannot be carried out.
        figures: of the rule.
        remarks: what is odd about it.
        above: the rules further up that hold too, the nearest first.
        paths: of all cgroups, by the id that rules know them by.
    """

    path: str
    exists: bool
    policy: str | None
    hindrance: Remark | None
    contenders: tuple[Contender, ...]
    rule: Rule | None
    figures: tuple[Figure, ...]
    remarks: tuple[Remark, ...]
    above: tuple[Above, ...]
    paths: Mapping[int, str]


def explain(
    loaded: LoadedConfig, cgroups: Iterable[CgroupFacts], path: str, *, page_bytes: int, machine: Machine
) -> Explanation:
    """Explain what a configuration means for the cgroup at a path, whether there is one or not.

    Args:
        loaded: the configuration.
        cgroups: all there are; none if that is not known.
        path: below the cgroup2 root, such as /batch.slice/a.
        page_bytes: the machine's page size.
        machine: its memory and swap.
    """
    return _Explainer(loaded, cgroups, path, RuleMaker(page_bytes, machine), page_bytes).explanation()


class _Explainer:
    def __init__(
        self,
        loaded: LoadedConfig,
        cgroups: Iterable[CgroupFacts],
        path: str,
        maker: RuleMaker,
        page_bytes: int,
    ) -> None:
        self._loaded = loaded
        self._path = path
        self._maker = maker
        self._page_bytes = page_bytes
        known = {facts.path: facts for facts in cgroups}
        self._exist = known.keys()
        # Real ids are inode numbers, far from these.
        missing = [each for each in (path, *paths_above(path)) if each not in known]
        supposed = [
            CgroupFacts(-number, each, Memory(0, None, None)) for number, each in enumerate(missing, 1)
        ]
        self._cgroups = {**known, **{facts.path: facts for facts in supposed}}
        resolution = PolicyResolver(loaded, page_bytes).resolve(self._cgroups.values(), maker.machine)
        self._rules = {rule.path: rule for rule in resolution.rules}
        self._paths = {facts.cgroup_id: facts.path for facts in self._cgroups.values()}

    def explanation(self) -> Explanation:
        contenders = _contenders(self._loaded, self._path)
        governing = contenders[0].policy if contenders[0:1] and _governs(contenders[0]) else None
        hindrance, remarks = self._made_of(governing)
        rule = self._rules.get(self._path)
        return Explanation(
            path=self._path,
            exists=self._path in self._exist,
            policy=governing,
            hindrance=hindrance,
            contenders=contenders,
            rule=rule,
            figures=self._figures(rule) if rule else (),
            remarks=remarks,
            above=tuple(self._rules_above()),
            paths=self._paths,
        )

    def _figures(self, rule: Rule) -> tuple[Figure, ...]:
        memory = self._cgroups[rule.path].memory
        if memory is None:
            return ()
        origins = Origins(memory, self._maker.machine, self._page_bytes).of(self._policy(rule.policy), rule)
        return tuple(
            Figure(figure.key, figure.value, origins.get(figure.key, ()))
            for figure in Figures(self._page_bytes).of(rule, self._paths)
        )

    def _made_of(self, governing: str | None) -> tuple[Remark | None, tuple[Remark, ...]]:
        """Return why the policy cannot be carried out for the cgroup, and what is odd about it."""
        if governing is None:
            return None, ()
        above = limits_above_of(self._path, self._cgroups)
        try:
            _, remarks = self._maker.rule(self._policy(governing), self._cgroups[self._path], above)
        except CannotResolveError as error:
            return error.remark, ()
        return None, tuple(remarks)

    def _rules_above(self) -> Iterator[Above]:
        for path in paths_above(self._path):
            if rule := self._rules.get(path):
                yield Above(path, path in self._exist, rule.policy, self._figures(rule), rule)

    def _policy(self, name: str) -> Policy:
        return next(policy for policy in self._loaded.config.policies if policy.name == name)


@dataclass(frozen=True, slots=True)
class _Candidate:
    policy: str
    position: Position
    glob: GlobMatcher
    excluded_by: GlobMatcher | None


def _contenders(loaded: LoadedConfig, path: str) -> tuple[Contender, ...]:
    candidates = list(_candidates(loaded, path))
    taking_part = [each for each in candidates if each.excluded_by is None]
    best = max((each.glob.specificity for each in taking_part), default=None)
    winners = [each for each in taking_part if each.glob.specificity == best]
    # The most specific first, what is excluded last.
    in_order = sorted(candidates, key=lambda each: each.glob.specificity, reverse=True)
    in_order.sort(key=lambda each: each.excluded_by is not None)
    return tuple(_judged(each, winners) for each in in_order)


def _candidates(loaded: LoadedConfig, path: str) -> Iterator[_Candidate]:
    for index, policy in enumerate(loaded.config.policies):
        matcher = Matcher(policy.match)
        if glob := matcher.including(path):
            position = loaded.position("policies", index)
            yield _Candidate(policy.name, position, glob, matcher.excluding(path))


def _judged(candidate: _Candidate, winners: Sequence[_Candidate]) -> Contender:
    standing, why = _standing(candidate, winners)
    return Contender(candidate.policy, candidate.position, str(candidate.glob.glob), standing, why)


def _standing(candidate: _Candidate, winners: Sequence[_Candidate]) -> tuple[Standing, str]:
    if candidate.excluded_by:
        return Standing.EXCLUDED, f"excluded by {candidate.excluded_by.glob}"
    if candidate not in winners:
        return Standing.LESS_SPECIFIC, _less(candidate.glob.specificity, winners[0])
    others = ", ".join(each.policy for each in winners if each is not candidate)
    if others:
        return Standing.TIED, f"as specific as the match of {others}, so none of them governs the cgroup"
    return Standing.GOVERNS, "the most specific match"


def _less(own: Specificity, winner: _Candidate) -> str:
    """Say what decided, in the order of reclaimd.policy.match.Specificity."""
    best = winner.glob.specificity
    if own.literal_segments != best.literal_segments:
        count = f"{own.literal_segments} segments without a star, not {best.literal_segments}"
    elif own.minus_any_levels != best.minus_any_levels:
        count = f"{-own.minus_any_levels} times **, not {-best.minus_any_levels}"
    elif own.literal_chars != best.literal_chars:
        count = f"{own.literal_chars} literal characters, not {best.literal_chars}"
    else:
        count = f"{-own.minus_stars} single stars, not {-best.minus_stars}"
    return f"gives way to {winner.policy} ({winner.glob.glob}): {count}"


def _governs(contender: Contender) -> bool:
    return contender.standing is Standing.GOVERNS
