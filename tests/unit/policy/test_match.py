# SPDX-License-Identifier: GPL-2.0-or-later

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclaimd.config.glob import Glob, parse_glob
from reclaimd.config.models import Config, Match
from reclaimd.policy.match import GlobMatcher, Interest, Matcher

SEGMENTS = st.one_of(
    st.text("ab*", min_size=1, max_size=6).filter(lambda text: "**" not in text), st.just("**")
)
GLOBS = (
    st.lists(SEGMENTS, min_size=1, max_size=5)
    .filter(lambda segments: ("**", "**") not in pairwise(segments))
    .map(lambda segments: parse_glob("/" + "/".join(segments)))
)
PATHS = st.lists(st.text("ab", min_size=1, max_size=6), min_size=1, max_size=6).map(
    lambda names: "/" + "/".join(names)
)


def matcher(text: str) -> GlobMatcher:
    return GlobMatcher(parse_glob(text))


def as_regex(glob: Glob) -> str:
    """Say the same as a glob in another language."""
    *before, last = glob.segments
    parts = [
        "(/[^/]+)*" if segment == "**" else "/" + re.escape(segment).replace(r"\*", "[^/]*")
        for segment in before
    ]
    parts.append("(/[^/]+)+" if last == "**" else "/" + re.escape(last).replace(r"\*", "[^/]*"))
    return "".join(parts)


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("/batch", "/batch"),
        ("/batch/*", "/batch/a"),
        ("/batch/**", "/batch/a"),
        ("/batch/**", "/batch/a/b/c"),
        ("/**/db", "/db"),
        ("/**/db", "/a/b/db"),
        ("/a/**/z", "/a/z"),
        ("/a/**/z", "/a/b/c/z"),
        ("/**", "/a"),
        ("/run-*.service", "/run-.service"),
        ("/a*b*c", "/abbc"),
        ("/*-*-*", "/x--"),
        (r"/dev\x2dsda", r"/dev\x2dsda"),
    ],
)
def test_matches(glob: str, path: str) -> None:
    assert matcher(glob).matches(path)


@pytest.mark.parametrize(
    ("glob", "path"),
    [
        ("/batch", "/batch/a"),
        ("/batch", "/batches"),
        ("/batch/*", "/batch"),
        ("/batch/*", "/batch/a/b"),
        ("/batch/**", "/batch"),
        ("/**/db", "/db/a"),
        ("/a/**/z", "/a"),
        ("/*", "/"),
        ("/**", "/"),
        ("/run-*.service", "/run.service"),
        ("/ab*ba", "/aba"),
        ("/a*b*c", "/acb"),
        ("/a.c", "/abc"),
    ],
)
def test_does_not_match(glob: str, path: str) -> None:
    assert not matcher(glob).matches(path)


@given(GLOBS, PATHS)
def test_matches_like_the_regular_expression_of_the_same_meaning(glob: Glob, path: str) -> None:
    assert GlobMatcher(glob).matches(path) == bool(re.fullmatch(as_regex(glob), path))


@given(GLOBS, PATHS)
def test_where_something_matches_it_was_possible_all_the_way_down(glob: Glob, path: str) -> None:
    if GlobMatcher(glob).matches(path):
        names = path[1:].split("/")
        above = ["/" + "/".join(names[:depth]) for depth in range(len(names))]
        assert all(GlobMatcher(glob).could_match_below(each) for each in above)


@pytest.mark.parametrize(
    ("glob", "path", "possible"),
    [
        ("/batch/*", "/", True),
        ("/batch/*", "/batch", True),
        ("/batch/*", "/batch/a", False),
        ("/batch/*", "/system", False),
        ("/**/db", "/a/b", True),
        ("/a/**", "/a/b", True),
        ("/a/**", "/b", False),
        ("/a-*/b", "/a-1", True),
        ("/a-*/b", "/c-1", False),
    ],
)
def test_where_a_match_is_possible(glob: str, path: str, possible: object) -> None:
    assert matcher(glob).could_match_below(path) is possible


def test_a_name_full_of_stars_takes_no_time() -> None:
    assert not matcher("/" + "*a" * 100 + "b").matches("/" + "a" * 250)


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ("/a/b", "/a/*"),
        ("/a/*", "/a/**"),
        ("/a/*", "/*/*"),
        ("/a/*/c", "/**/a/*"),
        ("/a/*", "/**/b"),
        ("/a/b-*", "/a/*"),
        ("/a/b-*-c*", "/a/b-*"),
        ("/a/bc*", "/a/b*c*"),
    ],
)
def test_specificity(more: str, less: str) -> None:
    assert matcher(more).specificity > matcher(less).specificity


@pytest.mark.parametrize(("one", "other"), [("/a/*/c", "/a/b/*"), ("/a/b*", "/a/*b"), ("/a/*", "/a/*")])
def test_equally_specific(one: str, other: str) -> None:
    assert matcher(one).specificity == matcher(other).specificity


def test_a_match_counts_with_its_most_specific_glob() -> None:
    match = Matcher(Match.model_validate(["/**", "/a/*", "/b"]))
    best = match.best("/a/x")
    assert best is not None
    assert str(best.glob) == "/a/*"


def test_what_is_excluded_does_not_match() -> None:
    match = Matcher(Match.model_validate({"include": "/a/**", "exclude": ["/a/db", "/a/db/**"]}))
    assert match.best("/a/x") is not None
    assert match.best("/a/db") is None
    assert match.best("/a/db/x") is None


def test_interest_is_in_what_any_policy_matches() -> None:
    reclaim = {"start": "75%", "stop": "70%"}
    policies = [
        {"name": "a", "match": "/a/*", "reclaim": reclaim},
        {"name": "b", "match": "/b", "reclaim": reclaim},
    ]
    interest = Interest(Config.model_validate({"policies": policies}))
    assert [path for path in ("/a", "/a/x", "/b", "/b/x", "/c") if interest.matches(path)] == ["/a/x", "/b"]
    assert [path for path in ("/", "/a", "/a/x", "/b") if interest.could_match_below(path)] == ["/", "/a"]


def test_no_policies_no_interest() -> None:
    interest = Interest(Config(policies=()))
    assert not interest.matches("/a")
    assert not interest.could_match_below("/")
