# SPDX-License-Identifier: GPL-2.0-or-later
"""`reclaimd check` says what a configuration comes to."""

import os
from pathlib import Path

import pytest

from reclaimd.cli.main import main
from reclaimd.config.models import BackendChoice
from reclaimd.errors import HostError
from tests.unit.cli.conftest import Offer
from tests.unit.fake_cgroupfs import FakeCgroupfs

MIB = 1 << 20

TWO = """\
policies:
  - name: batch
    match: /batch/*
    reclaim: {start: 75%, stop: 50%}
    back_pressure: {start: 90%, max_delay: 40ms}
  - name: web
    match: /web
    reclaim: {start: 1GiB, stop: 1000MiB}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A valid configuration of two policies."""
    path = tmp_path / "policy.yaml"
    path.write_text(TWO)
    return path


def check(policy: Path, cgroupfs: FakeCgroupfs) -> int:
    """Check a configuration against a fake tree."""
    return main(["check", str(policy), "--cgroup-root", str(cgroupfs.root)])


def test_every_rule_is_a_line_of_a_table(
    policy: Path, cgroupfs: FakeCgroupfs, capsys: pytest.CaptureFixture[str]
) -> None:
    cgroupfs.add("/batch/a", max_bytes=40 * MIB)
    cgroupfs.add("/web")
    assert check(policy, cgroupfs) == os.EX_OK
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        [f"{policy}:", "valid,", "2", "policies"],
        ["backend", "bpf:", "the", "tests", "say", "so"],
        ["CGROUP", "POLICY", "START", "STOP", "LIMIT", "BACK-PRESSURE"],
        [
            "/batch/a",
            "batch",
            "usage",
            "30MiB",
            "usage",
            "20MiB",
            "40MiB",
            "from",
            "36MiB,",
            "up",
            "to",
            "40ms",
        ],
        ["/web", "web", "usage", "1GiB", "usage", "1000MiB", "max", "none"],
    ]


def test_what_a_policy_lacks_on_this_host_is_an_error(
    policy: Path, cgroupfs: FakeCgroupfs, capsys: pytest.CaptureFixture[str], offer: Offer
) -> None:
    cgroupfs.add("/batch/a", max_bytes=40 * MIB)
    cgroupfs.add("/web")
    offer(BackendChoice.MEMORY_RECLAIM, frozenset())
    assert check(policy, cgroupfs) == os.EX_CONFIG
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith(f"{policy}:5:20: policy 'batch': back_pressure needs the patched kernel")
    assert captured.out.splitlines()[1] == "backend memory.reclaim: the tests say so"


def test_what_a_policy_can_do_without_is_a_warning_and_left_out(
    policy: Path, cgroupfs: FakeCgroupfs, capsys: pytest.CaptureFixture[str], offer: Offer
) -> None:
    cgroupfs.add("/batch/a", max_bytes=40 * MIB)
    cgroupfs.add("/web")
    policy.write_text(TWO.replace("name: batch", "name: batch\n    on_missing: warn"))
    offer(BackendChoice.MEMORY_RECLAIM, frozenset())
    assert check(policy, cgroupfs) == os.EX_OK
    captured = capsys.readouterr()
    assert "it does without" in captured.err
    assert captured.out.splitlines()[-2].endswith(" 40MiB  none")


def test_a_host_without_a_backend_is_said_to_have_none(
    policy: Path, cgroupfs: FakeCgroupfs, capsys: pytest.CaptureFixture[str], offer: Offer
) -> None:
    cgroupfs.add("/batch/a", max_bytes=40 * MIB)
    offer(BackendChoice.AUTO, HostError("too old", hint="boot a newer one"))
    assert check(policy, cgroupfs) == os.EX_OK
    assert capsys.readouterr().out.splitlines()[1] == "no backend here: too old; boot a newer one"


def test_a_match_that_matches_nothing_is_a_warning(
    policy: Path, cgroupfs: FakeCgroupfs, capsys: pytest.CaptureFixture[str]
) -> None:
    cgroupfs.add("/batch/a", max_bytes=40 * MIB)
    assert check(policy, cgroupfs) == os.EX_OK
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{policy}:7:12: warning: policy 'web': matches no cgroup")


def test_a_percentage_without_a_limit_is_an_error(
    policy: Path, cgroupfs: FakeCgroupfs, capsys: pytest.CaptureFixture[str]
) -> None:
    cgroupfs.add("/batch/a")
    cgroupfs.add("/web")
    assert check(policy, cgroupfs) == os.EX_CONFIG
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{policy}:4:22: policy 'batch', cgroup /batch/a: ")
    assert "no memory.max" in line


def test_without_a_tree_the_file_alone_is_checked(
    policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    not_a_tree = tmp_path / "file"
    not_a_tree.write_text("")
    assert main(["check", str(policy), "--cgroup-root", str(not_a_tree)]) == os.EX_OK
    out = capsys.readouterr().out
    assert "valid, 2 policies" in out


def test_one_policy_is_not_policies(
    policy: Path, cgroupfs: FakeCgroupfs, capsys: pytest.CaptureFixture[str]
) -> None:
    policy.write_text(TWO.partition("  - name: web")[0])
    cgroupfs.add("/batch/a", max_bytes=40 * MIB)
    assert check(policy, cgroupfs) == os.EX_OK
    assert capsys.readouterr().out.splitlines()[0] == f"{policy}: valid, 1 policy"


ALL = """\
policies:
  - name: database
    match: /db
    mode: monitor
    reclaim: {start: 24MiB, floor: 8MiB, rate: 200MiB/s, cpu: 10%}
  - name: web
    match: /web
    protect:
      as: low
      while: {pgfaults: 500/s}
      throttle: [{match: /batch/a, delay: 20ms}]
"""


def test_mode_bounds_protection_and_throttles_have_columns_where_there_are_any(
    policy: Path, cgroupfs: FakeCgroupfs, capsys: pytest.CaptureFixture[str]
) -> None:
    policy.write_text(ALL)
    for path in ("/db", "/web", "/batch/a"):
        cgroupfs.add(path, max_bytes=40 * MIB)
    assert check(policy, cgroupfs) == os.EX_OK
    headings, throttled, database, web = capsys.readouterr().out.splitlines()[2:]
    assert headings.split()[-4:] == ["MODE", "BOUNDS", "PROTECT", "THROTTLED"]
    assert "20ms a charge while /web is protected" in throttled
    assert "40MiB" in throttled, "its limit is known, though it has nothing but throttles"
    assert "monitor  floor 8MiB, rate 200MiB/s, cpu 10% of a CPU" in database
    assert "as low while pgfaults 500/s, and 2s longer" in web
