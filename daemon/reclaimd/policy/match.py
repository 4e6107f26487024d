# SPDX-License-Identifier: GPL-2.0-or-later
"""Which policy's match fits a cgroup best.

A glob (reclaimd.config.glob has its syntax) is run over a path segment by segment, as a set of
positions in the glob that the path so far can have reached. That takes time proportional to the
product of both lengths whatever the glob, and the same set tells whether something further down
could still match, which is what decides where to watch for new cgroups.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from reclaimd.config.glob import ANY_LEVELS, Glob
from reclaimd.config.models import Config, Match

#: Paths whose outcome a matcher remembers: the tree is gone over whenever something in it changes.
_REMEMBERED_PATHS = 32_768


@dataclass(frozen=True, slots=True, order=True)
class Specificity:
    """How narrow a glob is; compares by its fields in this order, and more specific is greater.

    Attributes:
        literal_segments: segments without a star.
        minus_any_levels: the number of `**`, negative: the fewer the better.
        literal_chars: characters other than stars and slashes.
        minus_stars: the number of single stars, negative.
    """

    literal_segments: int
    minus_any_levels: int
    literal_chars: int
    minus_stars: int


class GlobMatcher:
    """One glob, ready to be compared with paths."""

    def __init__(self, glob: Glob) -> None:
        self.glob = glob
        self.specificity = _specificity(glob)
        self._names = tuple(_NamePattern(segment) for segment in glob.segments)
        self._end = len(self._names)
        self._fixed_depth = ANY_LEVELS not in glob.segments

    def matches(self, path: str) -> bool:
        """Tell whether the glob matches a cgroup path such as /batch.slice/a."""
        if self._fixed_depth:
            names = _segments(path)
            return len(names) == self._end and self._begins_with(names)
        return self._end in self._reached(path)

    def could_match_below(self, path: str) -> bool:
        """Tell whether a path with this one and a slash at its start could match."""
        if self._fixed_depth:
            names = _segments(path)
            return len(names) < self._end and self._begins_with(names)
        return any(position < self._end for position in self._reached(path))

    def _begins_with(self, names: Sequence[str]) -> bool:
        # What most globs come to: no more positions than names.
        return all(pattern.matches(name) for pattern, name in zip(self._names, names, strict=False))

    def _reached(self, path: str) -> set[int]:
        positions = self._skip_none({0})
        for name in _segments(path):
            if not positions:
                break
            positions = self._skip_none({after for at in positions for after in self._step(at, name)})
        return positions

    def _step(self, at: int, name: str) -> tuple[int, ...]:
        if at == self._end:
            return ()
        if self._is_any_levels(at):
            return (at, self._end) if at == self._end - 1 else (at,)
        return (at + 1,) if self._names[at].matches(name) else ()

    def _skip_none(self, positions: set[int]) -> set[int]:
        """Add what is reached when a `**` stands for no level, which the last segment never does."""
        return positions | {at + 1 for at in positions if at < self._end - 1 and self._is_any_levels(at)}

    def _is_any_levels(self, at: int) -> bool:
        return self.glob.segments[at] == ANY_LEVELS


class Matcher:
    """A policy's match: include globs, exclude globs."""

    def __init__(self, match: Match) -> None:
        self._include = tuple(GlobMatcher(glob) for glob in match.include)
        self._exclude = tuple(GlobMatcher(glob) for glob in match.exclude)
        self._best = lru_cache(_REMEMBERED_PATHS)(self._find_best)

    def best(self, path: str) -> GlobMatcher | None:
        """Return the most specific include glob that matches; None if none does or the path is excluded."""
        return self._best(path)

    def including(self, path: str) -> GlobMatcher | None:
        """Return the most specific include glob that matches, whether the path is excluded or not."""
        fitting = [glob for glob in self._include if glob.matches(path)]
        return max(fitting, key=lambda glob: glob.specificity, default=None)

    def excluding(self, path: str) -> GlobMatcher | None:
        """Return the first exclude glob that matches."""
        return next((glob for glob in self._exclude if glob.matches(path)), None)

    def could_match_below(self, path: str) -> bool:
        """Tell whether a cgroup below this one could match; excluded or not."""
        return any(glob.could_match_below(path) for glob in self._include)

    def _find_best(self, path: str) -> GlobMatcher | None:
        return None if self.excluding(path) else self.including(path)


class Interest:
    """The cgroups that any policy of a configuration matches, or throttles for others."""

    def __init__(self, config: Config) -> None:
        governed = [policy.match for policy in config.policies]
        protects = [policy.protect for policy in config.policies if policy.protect]
        throttled = [throttle.match for protect in protects for throttle in protect.throttle]
        self._matchers = tuple(map(Matcher, (*governed, *throttled)))

    def matches(self, path: str) -> bool:
        """Tell whether a policy matches this cgroup."""
        return any(matcher.best(path) for matcher in self._matchers)

    def could_match_below(self, path: str) -> bool:
        """Tell whether a policy could match a cgroup below this one."""
        return any(matcher.could_match_below(path) for matcher in self._matchers)


class _NamePattern:
    """One segment of a glob: literal pieces with stars in between."""

    def __init__(self, segment: str) -> None:
        self._first, *self._rest = segment.split("*")

    def matches(self, name: str) -> bool:
        if not self._rest:
            return name == self._first
        *middle, last = self._rest
        if not name.startswith(self._first) or not name.endswith(last):
            return False
        # The leftmost place for each piece leaves the most room for those after it.
        at, end = len(self._first), len(name) - len(last)
        for piece in middle:
            found = name.find(piece, at, end)
            if found < 0:
                return False
            at = found + len(piece)
        return at <= end


def _segments(path: str) -> Sequence[str]:
    return path[1:].split("/") if path != "/" else ()


def _specificity(glob: Glob) -> Specificity:
    names = [segment for segment in glob.segments if segment != ANY_LEVELS]
    return Specificity(
        literal_segments=sum("*" not in name for name in names),
        minus_any_levels=len(names) - len(glob.segments),
        literal_chars=sum(len(name) - name.count("*") for name in names),
        minus_stars=-sum(name.count("*") for name in names),
    )
