# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of a cgroup: its policy, why this one, its numbers, and what holds further up."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclaimd.cgroup.facts import CgroupFacts, Memory, survey
from reclaimd.cgroup.machine import Machine
from reclaimd.config import parse_config
from reclaimd.policy.explain import Contender, Explanation, Standing, explain
from reclaimd.policy.resolve import resolve
from tests.unit.fake_cgroupfs import FakeCgroupfs

MIB = 1 << 20
PAGE = 4096
MACHINE = Machine(memory_bytes=2048 * MIB, swap_bytes=512 * MIB)


def explained(cgroups: list[CgroupFacts], path: str, *policies: str) -> Explanation:
    text = "policies:\n" + "".join(f"  - {{{policy}}}\n" for policy in policies)
    return explain(parse_config(text.encode(), "p.yaml"), cgroups, path, page_bytes=PAGE, machine=MACHINE)


def policy(name: str, match: str, more: str = "reclaim: {start: 24MiB}") -> str:
    return f"name: {name}, match: {match}, {more}"


def contender(explanation: Explanation, name: str) -> Contender:
    (found,) = [each for each in explanation.contenders if each.policy == name]
    return found


def figure(explanation: Explanation, key: str) -> tuple[str, tuple[str, ...]]:
    (found,) = [each for each in explanation.figures if each.key == key]
    return found.value, found.notes


def test_the_policy_that_governs_comes_first_and_has_a_place(cgroupfs: FakeCgroupfs) -> None:
    cgroupfs.add("/a/b")
    explanation = explained(survey(cgroupfs.root), "/a/b", policy("all", "/**"), policy("b", "/a/b"))
    first = explanation.contenders[0]
    assert (explanation.policy, first.policy, first.standing) == ("b", "b", Standing.GOVERNS)
    assert str(first.position) == "p.yaml:3:5"


@pytest.mark.parametrize(
    ("less", "why"),
    [
        ("/a/*/x", "2 segments without a star, not 3"),
        ("/**/b/x", "2 segments without a star, not 3"),
        ("/a/b/*", "2 segments without a star, not 3"),
    ],
)
def test_who_gives_way_is_told_to_whom_and_why(less: str, why: str) -> None:
    explanation = explained([], "/a/b/x", policy("less", less), policy("more", "/a/b/x"))
    assert contender(explanation, "less").why == f"gives way to more (/a/b/x): {why}"


@pytest.mark.parametrize(
    ("less", "more", "why"),
    [
        ("/a/**", "/a/*", "1 times **, not 0"),
        ("/a/x*", "/a/xy*", "2 literal characters, not 3"),
        ("/a/*x*", "/a/*xy", "2 literal characters, not 3"),
        ("/a/*xy*", "/a/xy*", "2 single stars, not 1"),
    ],
)
def test_the_first_difference_decides(less: str, more: str, why: str) -> None:
    explanation = explained([], "/a/xy", policy("less", less), policy("more", more))
    assert contender(explanation, "less").why == f"gives way to more ({more}): {why}"


def test_a_tie_names_the_others_and_nobody_governs() -> None:
    explanation = explained([], "/a/x", policy("one", "/a/*"), policy("two", "/a/*"))
    assert explanation.policy is None
    assert [each.standing for each in explanation.contenders] == [Standing.TIED, Standing.TIED]
    assert "two" in contender(explanation, "one").why


def test_an_exclusion_names_its_glob() -> None:
    match = "{include: /a/*, exclude: [/a/z, /a/x*]}"
    explanation = explained([], "/a/x", policy("one", match), policy("all", "/**"))
    assert explanation.policy == "all"
    assert contender(explanation, "one").standing is Standing.EXCLUDED
    assert contender(explanation, "one").why == "excluded by /a/x*"


def test_what_no_policy_matches_has_no_contenders() -> None:
    assert explained([], "/a", policy("b", "/b")).contenders == ()


def test_percentages_come_with_what_they_are_of(cgroupfs: FakeCgroupfs) -> None:
    cgroupfs.add("/a", max_bytes=32 * MIB, high_bytes=16 * MIB)
    more = "reclaim: {start: {any: [75%, psi: {some: 10%}]}, stop: 5% of machine, floor: 50% of memory.high}"
    explanation = explained(
        survey(cgroupfs.root), "/a", policy("a", "/a", more.replace("5% of machine", "50%"))
    )
    assert figure(explanation, "reclaim.start") == (
        "any(usage 24MiB, psi_some 10%/2s)",
        ("usage 24MiB: 75% of memory.max, 32MiB",),
    )
    assert figure(explanation, "reclaim.stop") == (
        "all(usage 16MiB, psi_some 5%/2s)",
        ("usage 16MiB: 50% of memory.max, 32MiB", "psi_some 5%/2s: a default"),
    )
    assert figure(explanation, "reclaim.floor") == ("8MiB", ("50% of memory.high, 16MiB",))


def test_a_cgroup_that_does_not_exist_is_taken_as_just_made() -> None:
    explanation = explained([], "/a/x", policy("a", "/a/*"))
    assert (explanation.exists, explanation.policy) == (False, "a")
    assert figure(explanation, "reclaim.start")[0] == "usage 24MiB"


def test_what_cannot_be_carried_out_says_what_is_in_the_way() -> None:
    explanation = explained([], "/a/x", policy("a", "/a/*", "reclaim: {start: 75%}"))
    assert explanation.rule is None
    assert explanation.hindrance
    assert "no memory.max" in explanation.hindrance.text


def test_the_rules_further_up_hold_too_the_nearest_first(cgroupfs: FakeCgroupfs) -> None:
    cgroupfs.add("/a/b/c/d")
    policies = (policy("a", "/a"), policy("c", "/a/b/c"), policy("e", "/e"))
    explanation = explained(survey(cgroupfs.root), "/a/b/c/d", *policies)
    assert explanation.policy is None
    assert [(above.path, above.policy) for above in explanation.above] == [("/a/b/c", "c"), ("/a", "a")]


def test_who_waits_for_others_is_told_for_whom(cgroupfs: FakeCgroupfs) -> None:
    cgroupfs.add("/web")
    cgroupfs.add("/batch")
    more = "protect: {as: low, while: {pgfaults: 500/s}, throttle: [{match: /batch, delay: 20ms}]}"
    explanation = explained(survey(cgroupfs.root), "/batch", policy("web", "/web", more))
    assert explanation.policy is None
    assert figure(explanation, "throttled")[0] == "20ms a charge while /web is protected"


SEGMENTS = st.sampled_from(["a", "b", "ab", "*", "a*", "**"])
GLOBS = (
    st.lists(SEGMENTS, min_size=1, max_size=3)
    .filter(lambda names: all(pair != ("**", "**") for pair in pairwise(names)))
    .map(lambda names: "/" + "/".join(names))
)
PATHS = st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=3).map(
    lambda names: "/" + "/".join(names)
)


@given(globs=st.lists(GLOBS, min_size=1, max_size=5), excludes=st.lists(GLOBS, max_size=2), path=PATHS)
def test_what_is_explained_is_what_is_resolved(globs: list[str], excludes: list[str], path: str) -> None:
    policies: list[dict[str, Any]] = [
        {"name": f"p{number}", "match": {"include": [glob], "exclude": excludes if number == 0 else []}}
        for number, glob in enumerate(globs)
    ]
    lines = [
        f"  - {{name: {each['name']}, match: {{include: ['{each['match']['include'][0]}'],"
        f" exclude: {each['match']['exclude']}}}, reclaim: {{start: 24MiB}}}}"
        for each in policies
    ]
    loaded = parse_config("\n".join(["policies:", *lines]).encode(), "p.yaml")
    explanation = explain(loaded, [], path, page_bytes=PAGE, machine=MACHINE)
    cgroups = [
        CgroupFacts(number, each, Memory(0, None, None))
        for number, each in enumerate([path, *_above(path)], 1)
    ]
    rules = {
        rule.path: rule.policy for rule in resolve(loaded, cgroups, page_bytes=PAGE, machine=MACHINE).rules
    }
    assert explanation.policy == rules.pop(path, None)
    assert {above.path: above.policy for above in explanation.above} == rules


def _above(path: str) -> list[str]:
    names = path[1:].split("/")
    return ["/" + "/".join(names[:count]) for count in range(1, len(names))]
