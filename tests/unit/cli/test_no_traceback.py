# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever a configuration holds, the commands that read one end in lines for people and an exit status."""

import io
import json
import os
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reclaimd.cli import main as daemon
from reclaimd.cli import reclaimctl
from tests.unit.config.documents import DOCUMENTS
from tests.unit.fake_cgroupfs import FakeCgroupfs

MIB = 1 << 20
STATUSES = {os.EX_OK, os.EX_UNAVAILABLE, os.EX_CONFIG}


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it wrote."""

    status: int
    out: str
    errors: str


@dataclass(frozen=True)
class Place:
    """A configuration, and a tree with /a, which is limited, and /a/b, /a/c and /ä/ö, which are not."""

    config: Path
    root: Path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    directory = tmp_path_factory.mktemp("place")
    cgroupfs = FakeCgroupfs(directory / "root")
    cgroupfs.add("/a", max_bytes=64 * MIB, high_bytes=32 * MIB)
    for path in ("/a/b", "/a/c", "/ä/ö"):
        cgroupfs.add(path)
    return Place(directory / "policy.yaml", cgroupfs.root)


def run(main: Callable[[Sequence[str]], int], *arguments: str | Path) -> Ended:
    out, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(errors):
        status = main([*map(str, arguments)])
    return Ended(status, out.getvalue(), errors.getvalue())


def end_well(place: Place, data: bytes) -> None:
    """Run every command that reads a configuration without a daemon."""
    place.config.write_bytes(data)
    options = ("--cgroup-root", place.root)
    checked = run(daemon.main, "check", place.config, *options)
    assert checked.status in STATUSES
    assert all(line.startswith(f"{place.config}:") for line in checked.errors.splitlines())
    assert checked.status == os.EX_OK or checked.errors
    for path in ("/a", "/a/b", "/not/there"):
        command = ("explain", path, "--config", place.config, *options)
        explained = run(reclaimctl.main, *command)
        as_json = run(reclaimctl.main, *command, "--json=short")
        assert explained.status == as_json.status
        assert explained.status in STATUSES
        assert explained.errors == as_json.errors
        if explained.status == os.EX_OK:
            assert json.loads(as_json.out)["cgroup"] == path
    report = run(reclaimctl.main, "check", place.config, "--json=short", *options)
    assert json.loads(report.out)["valid"] is (checked.status == os.EX_OK or "valid" in checked.out)


@given(data=st.binary(max_size=200))
@settings(max_examples=15, deadline=None)
def test_any_bytes(place: Place, data: bytes) -> None:
    end_well(place, data)


@given(document=DOCUMENTS)
@settings(max_examples=30, deadline=None)
def test_any_document(place: Place, document: dict[str, Any]) -> None:
    # JSON is YAML, but for what JSON itself does not have: numbers that are none.
    text = json.dumps(document, ensure_ascii=False)
    end_well(place, text.encode("utf-8", "surrogatepass"))


@given(document=DOCUMENTS, at=st.floats(0, 1), inserted=st.text(max_size=5))
@settings(max_examples=15, deadline=None)
def test_any_document_with_something_put_in(
    place: Place, document: dict[str, Any], at: float, inserted: str
) -> None:
    text = json.dumps(document, indent=1)
    middle = int(at * len(text))
    end_well(place, (text[:middle] + inserted + text[middle:]).encode("utf-8", "surrogatepass"))


@given(text=st.text(max_size=40))
@settings(max_examples=60)
def test_any_name_for_a_cgroup(place: Place, text: str) -> None:
    place.config.write_text("policies: []\n")
    command = ("--config", place.config, "--cgroup-root", place.root)
    ended: list[int | str | None] = []
    try:
        ended.append(run(reclaimctl.main, "explain", *command, "--", text).status)
    except SystemExit as error:
        ended.append(error.code)
    assert ended[0] in {os.EX_OK, 2}
