# SPDX-License-Identifier: GPL-2.0-or-later
"""`reclaimctl explain`, without a daemon."""

import json
import os
from pathlib import Path

import pytest

from reclaimd.backend.base import Ability
from reclaimd.cli.reclaimctl import main
from reclaimd.config.models import BackendChoice
from reclaimd.errors import HostError
from tests.unit.cli.conftest import Offer
from tests.unit.fake_cgroupfs import FakeCgroupfs

MIB = 1 << 20

POLICIES = """\
policies:
  - name: slice
    match: /batch
    reclaim: {start: 1GiB}
  - name: all
    match: /**
    reclaim: {start: 100MiB}
  - name: batch
    match: {include: /batch/*, exclude: /batch/z}
    reclaim: {start: 75%}
"""


@pytest.fixture
def explain(tmp_path: Path, cgroupfs: FakeCgroupfs, capsys: pytest.CaptureFixture[str]) -> "Explain":
    return Explain(tmp_path / "p.yaml", cgroupfs, capsys)


class Explain:
    """Runs the command on a tree with /batch/a of 32 MiB."""

    def __init__(self, config: Path, cgroupfs: FakeCgroupfs, capsys: pytest.CaptureFixture[str]) -> None:
        config.write_text(POLICIES)
        cgroupfs.add("/batch/a", max_bytes=32 * MIB)
        self._options = ["--config", str(config), "--cgroup-root", str(cgroupfs.root)]
        self._capsys = capsys

    def __call__(self, cgroup: str, *more: str) -> str:
        """Return what it prints."""
        assert main(["explain", cgroup, *self._options, *more]) == os.EX_OK
        return self._capsys.readouterr().out


def test_text_says_who_governs_and_why_and_with_what(explain: Explain) -> None:
    lines = explain("/batch/a").splitlines()
    assert lines[0] == "/batch/a is governed by policy 'batch':"
    assert "the most specific match" in lines[1]
    assert "gives way to batch (/batch/*): 0 segments without a star, not 1" in lines[2]
    assert "  reclaim.start       usage 24MiB" in lines
    assert "holds too: policy 'slice' of /batch, with" in lines


def test_json_has_the_numbers(explain: Explain) -> None:
    report = json.loads(explain("/batch/a", "--json=short"))
    assert (report["cgroup"], report["exists"], report["policy"]) == ("/batch/a", True, "batch")
    assert report["rule"]["reclaim"]["start"]["groups"][0][0]["bytes"] == 24 * MIB
    assert report["notes"]["reclaim.start"] == ["usage 24MiB: 75% of memory.max, 32MiB"]
    assert [above["cgroup"] for above in report["above"]] == ["/batch"]


def test_what_the_policy_lacks_on_this_host_is_told(explain: Explain, offer: Offer) -> None:
    offer(BackendChoice.MEMORY_RECLAIM, frozenset(Ability) - {Ability.FIRST_CHARGE})
    assert explain("/batch/a").splitlines()[-2:] == [
        "backend memory.reclaim: the tests say so",
        "does without: first_charge",
    ]
    report = json.loads(explain("/batch/a", "--json=short"))
    assert (report["backend"], report["lacks"]) == ("memory.reclaim", ["first_charge"])
    assert json.loads(explain("/batch/z", "--json=short"))["lacks"] == ["first_charge"]


def test_a_cgroup_that_does_not_exist_is_said_not_to(explain: Explain) -> None:
    lines = explain("/other").splitlines()
    assert lines[0].startswith("/other does not exist")
    assert lines[1] == "/other is governed by policy 'all':"


def test_a_policy_that_cannot_be_carried_out_says_why(explain: Explain) -> None:
    assert "policy 'batch' is for /batch/new, but cannot be carried out: reclaim.start:" in explain(
        "/batch/new"
    )


def test_a_path_under_the_mount_point_will_do(explain: Explain) -> None:
    assert explain("/sys/fs/cgroup/batch/a/") == explain("/batch/a")


@pytest.mark.parametrize("path", ["/", "/sys/fs/cgroup", "batch", "/a//b", "/a/../b"])
def test_what_is_no_cgroup_below_the_root_is_a_wrong_command_line(path: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["explain", path])
    assert ended.value.code == 2


def test_without_a_tree_the_policies_are_explained_all_the_same(
    explain: Explain, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    del explain  # for the configuration that it has written

    def no_root() -> Path:
        raise HostError("no cgroup2 file system is mounted")

    monkeypatch.setattr("reclaimd.cli.ctl.explain.find_cgroup_root", no_root)
    assert main(["explain", "/other", "--config", str(tmp_path / "p.yaml"), "--json=short"]) == os.EX_OK
    report = json.loads(capsys.readouterr().out)
    assert (report["exists"], report["policy"]) == (None, "all")
    assert report["unread"] == "no cgroup2 file system is mounted"


def test_a_configuration_that_is_wrong_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("policies: 7\n")
    assert main(["explain", "/a", "--config", str(wrong)]) == os.EX_CONFIG
    assert (
        capsys.readouterr().err
        == f"{wrong}:1:11: policies: must be a list, but is a number; write its items as lines that start with '- '\n"
    )
