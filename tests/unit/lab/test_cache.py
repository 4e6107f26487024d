# SPDX-License-Identifier: GPL-2.0-or-later
"""Entries of the lab's cache: named by content, built once, complete or absent."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab import CHECKOUT
from tests.lab.cache import build_once, cache_dir, content_key


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RECLAIMD_LAB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_cache_follows_xdg_when_not_told_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECLAIMD_LAB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "reclaimd-lab"


def test_key_is_that_of_the_content_wherever_the_file_lies(tmp_path: Path) -> None:
    for directory in ("a", "b"):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "patch").write_text("same")
    assert content_key(tmp_path / "a" / "patch") == content_key(tmp_path / "b" / "patch")


def test_key_changes_with_content_name_and_order(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("x")
    other.write_text("x")
    before = content_key(one)
    keys = {before, content_key(other), content_key(one, other), content_key(other, one)}
    one.write_text("y")
    assert len(keys | {content_key(one)}) == 5


def test_key_tells_where_one_input_ends_and_the_next_begins() -> None:
    assert content_key("ab", "c") != content_key("a", "bc")


def test_second_request_finds_the_entry() -> None:
    built: list[Path] = []

    def build(entry: Path) -> None:
        built.append(entry)
        (entry / "file").write_text("content")

    first = build_once("thing", "k", build)
    assert build_once("thing", "k", build) == first
    assert len(built) == 1
    assert (first / "file").read_text() == "content"


def test_broken_off_build_leaves_no_entry_and_the_next_starts_empty(own_cache: Path) -> None:
    def broken(entry: Path) -> None:
        (entry / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_once("thing", "k", broken)
    assert not (own_cache / "thing-k").exists()
    assert list(build_once("thing", "k", lambda entry: (entry / "whole").touch()).iterdir()) == [
        own_cache / "thing-k" / "whole"
    ]


def test_what_another_broken_off_build_left_goes_with_the_next_build(own_cache: Path) -> None:
    own_cache.mkdir()
    (own_cache / "thing-old.partial").mkdir()
    build_once("thing", "k", lambda _: None)
    assert not (own_cache / "thing-old.partial").exists()


def test_entries_last_as_long_as_they_are_used(own_cache: Path) -> None:
    for key in ("unused", "used"):
        os.utime(build_once("thing", key, lambda _: None), (0, 0))
    build_once("thing", "used", lambda _: None)
    build_once("thing", "new", lambda _: None)
    assert {path.name for path in own_cache.glob("thing-*/")} == {"thing-used", "thing-new"}


BUILDER = """
import sys
from tests.lab.cache import build_once

def build(entry):
    print("building", flush=True)
    sys.stdin.readline()
    (entry / "by").write_text(sys.argv[1])

print((build_once("thing", "k", build) / "by").read_text())
"""


def _builder(name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", BUILDER, name]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=CHECKOUT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def test_second_builder_says_whom_it_waits_for_and_takes_the_first_ones_entry() -> None:
    with _builder("first") as first:
        assert first.stdout
        assert first.stdout.readline() == "building\n"
        with _builder("second") as second:
            assert second.stderr
            assert (
                second.stderr.readline()
                == f"lab: waiting for thing-k: process {first.pid} is at work on it\n"
            )
            assert first.communicate("\n")[0] == "first\n"
            assert second.communicate()[0] == "first\n"
