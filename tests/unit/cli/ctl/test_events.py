# SPDX-License-Identifier: GPL-2.0-or-later

import json
import os
import signal
import subprocess
import sys

import pytest

from reclaimd.backend.base import ProtectionBegan
from reclaimd.cli.reclaimctl import main
from reclaimd.config.metric import Metric
from tests.unit.cli.ctl.conftest import Host, Run
from tests.unit.service.memory_backend import episode

COMMAND = (sys.executable, "-m", "reclaimd.cli.reclaimctl")


def happen(host: Host, number: int) -> None:
    host.daemon.backend.event_happens(episode(host.id_of("/batch/a"), number=number))
    host.daemon.wait_for_line("episode", episode=number)


def test_without_events_nothing_is_printed(run: Run) -> None:
    def script(host: Host) -> None:
        assert host.reclaimctl("events").out == []

    run(script)


def test_as_many_as_wanted_are_printed_oldest_first(run: Run) -> None:
    def script(host: Host) -> None:
        for number in range(3):
            happen(host, number)
        lines = host.reclaimctl("events", "--json=short", "-n", "2").out
        assert [json.loads(line)["episode"]["number"] for line in lines] == [1, 2]

    run(script)


def test_a_protection_is_a_line(run: Run) -> None:
    def script(host: Host) -> None:
        host.daemon.backend.event_happens(ProtectionBegan(host.id_of("/web"), Metric.PGFAULTS, 5001))
        host.daemon.wait_for_line("protected")
        (line,) = host.reclaimctl("events").out
        assert line.endswith(" /web: protected for pgfaults")

    run(script)


def test_those_to_come_are_followed_until_interrupted(run: Run) -> None:
    def script(host: Host) -> None:
        happen(host, 0)
        following = subprocess.Popen(
            [*COMMAND, "events", "--follow", "--json=short", "--socket", host.daemon.socket],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert following.stdout
        # Once it has told of the past, it follows.
        assert json.loads(following.stdout.readline())["episode"]["number"] == 0
        for number in (1, 2):
            happen(host, number)
            assert json.loads(following.stdout.readline())["episode"]["number"] == number
        following.send_signal(signal.SIGINT)
        out, err = following.communicate(timeout=20)
        assert (following.returncode, out, err) == (os.EX_OK, "", "")

    run(script)


@pytest.mark.parametrize("number", ["-1", "65", "many"])
def test_a_number_out_of_range_is_a_wrong_command_line(number: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["events", f"--lines={number}"])
    assert ended.value.code == 2
