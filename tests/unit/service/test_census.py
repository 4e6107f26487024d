# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known of the cgroups stays true, and costs no more than what has changed."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reclaimd.cgroup.facts import CgroupFacts, read_facts, survey
from reclaimd.config import Config
from reclaimd.policy.match import Interest
from reclaimd.service.census import Census
from tests.unit.fake_cgroupfs import FakeCgroupfs
from tests.unit.service.running import MIB, add_parent, set_max

PARENTS = ("/a", "/b", "/b/c")
NAMES = ("x", "y", "z")


def interest(glob: str) -> Interest:
    policy = {"name": "a", "match": glob, "reclaim": {"start": "75%"}}
    return Interest(Config.model_validate({"policies": [policy]}))


@pytest.fixture
def census(cgroupfs: FakeCgroupfs) -> Iterator[Callable[[str], Census]]:
    made: list[Census] = []

    def make(glob: str) -> Census:
        made.append(Census(cgroupfs.root, interest(glob)))
        made[-1].update()
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the cgroups that are read from here on."""
    paths: list[str] = []

    def noting(root: Path, path: str) -> CgroupFacts | None:
        paths.append(path)
        return read_facts(root, path)

    monkeypatch.setattr("reclaimd.service.census.read_facts", noting)
    return paths


def paths_of(census: Census) -> list[str]:
    return [facts.path for facts in census.cgroups()]


def test_it_knows_what_matches_and_what_that_is_in(
    cgroupfs: FakeCgroupfs, census: Callable[[str], Census]
) -> None:
    for path in ("/a/b/x", "/a/b/y", "/a/c/x", "/d/x"):
        cgroupfs.add(path)
    assert paths_of(census("/a/b/*")) == ["/a", "/a/b", "/a/b/x", "/a/b/y"]


def test_of_a_new_cgroup_nothing_else_is_read(
    cgroupfs: FakeCgroupfs, census: Callable[[str], Census], read: list[str]
) -> None:
    add_parent(cgroupfs, "/a")
    for number in range(5):
        cgroupfs.add(f"/a/{number}")
    known = census("/a/*")
    read.clear()
    cgroupfs.add("/a/new")
    assert known.update()
    assert read == ["/a/new"]


def test_of_a_limit_that_changes_nothing_else_is_read(
    cgroupfs: FakeCgroupfs, census: Callable[[str], Census], read: list[str]
) -> None:
    add_parent(cgroupfs, "/a")
    for number in range(5):
        cgroupfs.add(f"/a/{number}", max_bytes=32 * MIB)
    known = census("/a/*")
    read.clear()
    set_max(cgroupfs, "/a/3", 64 * MIB)
    assert known.update()
    assert set(read) == {"/a/3"}


def test_the_limit_of_a_cgroup_further_up_is_followed(
    cgroupfs: FakeCgroupfs, census: Callable[[str], Census]
) -> None:
    cgroupfs.add("/a", max_bytes=32 * MIB)
    cgroupfs.add("/a/x")
    known = census("/a/*")
    set_max(cgroupfs, "/a", 64 * MIB)
    assert known.update()
    memory = known.cgroups()[0].memory
    assert memory
    assert memory.max_bytes == 64 * MIB


def test_when_nothing_has_happened_nothing_has_changed(
    cgroupfs: FakeCgroupfs, census: Callable[[str], Census]
) -> None:
    cgroupfs.add("/a/x")
    assert not census("/a/*").update()


def test_after_the_last_cgroup_of_interest_what_it_was_in_is_forgotten(
    cgroupfs: FakeCgroupfs, census: Callable[[str], Census]
) -> None:
    cgroupfs.add("/a/x")
    known = census("/a/*")
    cgroupfs.remove("/a/x")
    assert known.update()
    assert known.cgroups() == []


def test_after_an_error_everything_is_read_again(
    cgroupfs: FakeCgroupfs, census: Callable[[str], Census], monkeypatch: pytest.MonkeyPatch
) -> None:
    cgroupfs.add("/a/x")
    known = census("/a/*")
    cgroupfs.add("/a/y")

    def failing(root: Path, path: str) -> CgroupFacts | None:
        raise OSError(root, path)

    with monkeypatch.context() as broken:
        broken.setattr("reclaimd.service.census.read_facts", failing)
        with pytest.raises(OSError, match="/a/y"):
            known.update()
    assert known.update()
    assert paths_of(known) == ["/a", "/a/x", "/a/y"]


#: What happens to a tree: the number of a step's parent, its name, and what is done to it.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(PARENTS), st.sampled_from(NAMES), st.sampled_from(["add", "remove", "limit", "look"])
    ),
    max_size=30,
)


@given(steps=STEPS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_whatever_happens_it_knows_what_a_fresh_look_would_show(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str]]
) -> None:
    cgroupfs = FakeCgroupfs(tmp_path_factory.mktemp("tree") / "root")
    for parent in PARENTS:
        add_parent(cgroupfs, parent)
    with closing(Census(cgroupfs.root, interest("/**"))) as known:
        for parent, name, what in steps:
            path = f"{parent}/{name}"
            there = (cgroupfs.root / path[1:]).exists()
            if what == "add" and not there:
                cgroupfs.add(path, max_bytes=32 * MIB)
            elif what == "remove" and there:
                cgroupfs.remove(path)
            elif what == "limit" and there:
                set_max(cgroupfs, path, 64 * MIB)
            elif what == "look":
                known.update()
        known.update()
        assert known.cgroups() == sorted(survey(cgroupfs.root), key=lambda facts: facts.path)
