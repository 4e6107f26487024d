# SPDX-License-Identifier: GPL-2.0-or-later
"""Which of several policies governs a cgroup, whatever they and it are called."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from reclaimd.cgroup.facts import CgroupFacts, Memory
from reclaimd.cgroup.machine import Machine
from reclaimd.config import LoadedConfig, parse_config
from reclaimd.config.glob import parse_glob
from reclaimd.policy.match import GlobMatcher
from reclaimd.policy.resolve import PolicyResolver, Resolution, resolve

MIB = 1 << 20
PAGE = 4096
MACHINE = Machine(memory_bytes=2048 * MIB, swap_bytes=0)

SEGMENTS = st.sampled_from(["a", "b", "ab", "a*", "*b", "*", "**"])
GLOBS = (
    st.lists(SEGMENTS, min_size=1, max_size=3)
    .filter(lambda names: ("**", "**") not in pairwise(names))
    .map(lambda names: "/" + "/".join(names))
)
PATHS = st.lists(st.sampled_from(["a", "b", "ab", "aab"]), min_size=1, max_size=3).map(
    lambda names: "/" + "/".join(names)
)
POLICIES = st.lists(st.tuples(GLOBS, st.lists(GLOBS, max_size=1)), min_size=1, max_size=5)
LIMITS = st.one_of(st.none(), st.integers(1, 64).map(lambda mib: mib * MIB))

Policies = Sequence[tuple[str, Sequence[str]]]


def loaded(policies: Policies, order: Sequence[int] | None = None) -> LoadedConfig:
    """Load policies of an include and excludes each, named by their places."""
    lines = ["policies:"]
    for number in order or range(len(policies)):
        include, exclude = policies[number]
        lines.append(f"  - name: p{number}")
        lines.append(f"    match: {{include: ['{include}'], exclude: {list(exclude)}}}")
        lines.append("    reclaim: {start: 75%}")
    return parse_config("\n".join(lines).encode(), "f.yaml")


def cgroup(number: int, path: str, max_bytes: int | None = 32 * MIB) -> CgroupFacts:
    return CgroupFacts(number, path, Memory(0, max_bytes, None))


def governing(resolution: Resolution) -> dict[str, str]:
    return {rule.path: rule.policy for rule in resolution.rules}


@given(policies=POLICIES, paths=st.sets(PATHS, min_size=1, max_size=4), data=st.data())
def test_the_order_in_the_file_means_nothing(
    policies: Policies, paths: set[str], data: st.DataObject
) -> None:
    cgroups = [cgroup(number, path) for number, path in enumerate(sorted(paths))]
    order = data.draw(st.permutations(range(len(policies))))
    one, other = (
        resolve(config, cgroups, page_bytes=PAGE, machine=MACHINE)
        for config in (loaded(policies), loaded(policies, order))
    )
    assert governing(one) == governing(other)
    assert len(one.errors) == 0 or len(other.errors) > 0


@given(policies=POLICIES, path=PATHS)
def test_the_most_specific_governs_or_a_tie_names_both(policies: Policies, path: str) -> None:
    fitting = {
        f"p{number}": GlobMatcher(parse_glob(include)).specificity
        for number, (include, exclude) in enumerate(policies)
        if GlobMatcher(parse_glob(include)).matches(path)
        and not any(GlobMatcher(parse_glob(glob)).matches(path) for glob in exclude)
    }
    best = [name for name, specificity in fitting.items() if specificity == max(fitting.values())]
    resolution = resolve(loaded(policies), [cgroup(1, path)], page_bytes=PAGE, machine=MACHINE)
    assert governing(resolution) == ({path: best[0]} if len(best) == 1 else {})
    if len(best) > 1:
        (error,) = resolution.errors
        assert error.policy in best
        assert any(f"'{name}'" in error.text for name in best if name != error.policy)


@given(
    policies=POLICIES,
    moments=st.lists(st.dictionaries(PATHS, st.tuples(st.integers(1, 3), LIMITS), max_size=4), max_size=5),
)
def test_what_is_used_again_is_what_would_come_out_anew(
    policies: Policies, moments: list[dict[str, tuple[int, int | None]]]
) -> None:
    config = loaded(policies)
    lasting = PolicyResolver(config, PAGE)
    for moment in moments:
        cgroups = [
            cgroup(10 * place + incarnation, path, max_bytes)
            for place, (path, (incarnation, max_bytes)) in enumerate(sorted(moment.items()))
        ]
        assert lasting.resolve(cgroups, MACHINE) == resolve(config, cgroups, page_bytes=PAGE, machine=MACHINE)
