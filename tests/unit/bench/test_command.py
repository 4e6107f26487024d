# SPDX-License-Identifier: GPL-2.0-or-later
import os
import signal
from contextlib import nullcontext
from pathlib import Path

import pytest

from reclaimd.bench import command
from reclaimd.bench.command import main, make_parser
from reclaimd.bench.experiment import Mode
from reclaimd.errors import HostError


@pytest.mark.parametrize(
    "arguments",
    [
        ["--runs", "0"],
        ["--modes", "some"],
        ["--workloads", "file 64"],
        ["--parent", "bench"],
        ["extra"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_ends_with_status_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        make_parser().parse_args(arguments)


def test_the_root_is_no_parent() -> None:
    assert make_parser().parse_args(["--parent", "/"]).parent == ""


def test_a_host_that_cannot_is_one_line_and_its_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_root: Path) -> None:
        raise HostError("no memory", hint="buy some")

    monkeypatch.setattr(command, "find_cgroup_root", lambda: Path("/nowhere"))
    monkeypatch.setattr(command, "require_host", refuse)
    assert main([]) == os.EX_UNAVAILABLE
    assert capsys.readouterr().err == "reclaimd-bench: no memory; buy some\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)
    monkeypatch.setattr(command, "find_cgroup_root", lambda: Path("/nowhere"))
    monkeypatch.setattr(command, "require_host", lambda _root: signal.raise_signal(number))
    monkeypatch.setattr(command, "_setup", lambda *_: nullcontext((None, None)))
    assert main([]) == 130
    assert capsys.readouterr().err == "reclaimd-bench: interrupted\n"
    assert signal.getsignal(number) is before


def test_every_mode_can_be_asked_for() -> None:
    assert make_parser().parse_args(["--modes", *Mode]).modes == list(Mode)
