# SPDX-License-Identifier: GPL-2.0-or-later

import json
import os
import threading
from dataclasses import replace

import pytest

from reclaimd.backend.base import StartReason, StopReason
from reclaimd.cli.reclaimctl import main
from reclaimd.config.models import Mode
from tests.unit.cli.ctl.conftest import MIB, TWO, Host, Run
from tests.unit.service.memory_backend import episode


def modes(host: Host) -> dict[str, Mode]:
    return {rule.path: rule.mode for rule in host.daemon.backend.rules.values()}


def test_reload_says_nothing_if_all_is_well(run: Run) -> None:
    def script(host: Host) -> None:
        host.daemon.text = TWO.replace("75%", "80%")
        ended = host.reclaimctl("reload")
        assert (ended.status, ended.out, ended.err) == (os.EX_OK, [], [])
        host.daemon.wait_for_line("reloaded")

    run(script)


def test_reload_says_what_is_wrong_and_where(run: Run) -> None:
    def script(host: Host) -> None:
        host.daemon.text = TWO.replace("75%", "75").replace("40ms", "40")
        ended = host.reclaimctl("reload")
        assert ended.status == os.EX_CONFIG
        assert [line.partition(": ")[0] for line in ended.err] == ["policy.yaml:4:22", "policy.yaml:5:44"]

    run(script)


def test_pause_and_resume_change_modes(run: Run) -> None:
    def script(host: Host) -> None:
        assert host.reclaimctl("pause", "batch").status == os.EX_OK
        assert modes(host)["/batch/a"] is Mode.MONITOR
        assert ["batch", "paused", "1"] in [line.split() for line in host.reclaimctl("status").out]
        assert host.reclaimctl("resume").status == os.EX_OK
        assert modes(host)["/batch/a"] is Mode.ENFORCE

    run(script)


def test_what_changes_something_tells_programs_the_status_after_it(run: Run) -> None:
    def script(host: Host) -> None:
        (line,) = host.reclaimctl("pause", "--json=short").out
        assert all(policy["paused"] for policy in json.loads(line)["policies"])

    run(script)


def test_a_policy_that_is_not_there_is_one_line(run: Run) -> None:
    def script(host: Host) -> None:
        ended = host.reclaimctl("pause", "nobody")
        assert ended.status == os.EX_NOINPUT
        assert ended.err == [
            "reclaimctl: there is no policy 'nobody'; reclaimctl status shows those there are"
        ]

    run(script)


@pytest.mark.parametrize(("reason", "status"), [(StopReason.RECLAIMED, 0), (StopReason.NO_PROGRESS, 1)])
def test_reclaim_tells_of_the_episode(run: Run, reason: StopReason, status: int) -> None:
    def script(host: Host) -> None:
        backend, cgroup_id = host.daemon.backend, host.id_of("/batch/a")
        requested = replace(episode(cgroup_id, reason), started_for=StartReason.REQUESTED)

        def answer() -> None:
            backend.wait_for_requests(1)
            backend.event_happens(requested)

        answering = threading.Thread(target=answer)
        answering.start()
        ended = host.reclaimctl("reclaim", "/batch/a", "2MiB")
        answering.join()
        assert backend.requests == [(cgroup_id, 2 * MIB // 4096)]
        assert ended.status == status
        assert ended.out[0].endswith(f"started for requested, ended for {reason}")

    run(script)


@pytest.mark.parametrize(
    ("size", "hint"), [("64", "1MiB"), ("64MB", "write 64MiB"), ("0MiB", "above 0"), ("75%", "the units are")]
)
def test_a_size_that_is_none_is_a_wrong_command_line(
    capsys: pytest.CaptureFixture[str], size: str, hint: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["reclaim", "/batch/a", size])
    assert ended.value.code == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("reclaimctl reclaim: error: argument SIZE: ")
    assert hint in line
