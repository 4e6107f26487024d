# SPDX-License-Identifier: GPL-2.0-or-later

import json
import os
import re

from reclaimd import __version__
from reclaimd.backend.base import Ability, StopReason
from tests.unit.cli.ctl.conftest import MIB, Host, Run, cells
from tests.unit.service.memory_backend import episode


def test_status_tells_of_daemon_and_policies(run: Run) -> None:
    def script(host: Host) -> None:
        ended = host.reclaimctl("status")
        assert ended.status == os.EX_OK
        assert ended.out[0].startswith(
            f"reclaimd {__version__}, process {os.getpid()}, backend memory, since 2"
        )
        assert ended.out[1].endswith(" 2 rules")
        assert ended.out[2] == "backend memory: there is no other"
        assert cells(ended.out[3:]) == [
            ["POLICY", "MODE", "CGROUPS"],
            ["batch", "enforce", "1"],
            ["web", "monitor", "1"],
        ]

    run(script)


def test_status_tells_what_is_wrong_with_a_newer_configuration(run: Run) -> None:
    def script(host: Host) -> None:
        host.daemon.reload("policies: 7\n")
        host.daemon.wait_for_line("not reloaded: the configuration in force stays")
        (line,) = [line for line in host.reclaimctl("status").out if line.startswith("not reloaded: ")]
        assert line.startswith("not reloaded: policy.yaml:1:11: ")

    run(script)


def test_status_tells_what_policies_have_to_do_without(run: Run) -> None:
    def script(host: Host) -> None:
        host.daemon.backend.forbidden = {"/web"}
        host.daemon.backend.abilities = frozenset(Ability) - {Ability.FIRST_CHARGE}
        host.daemon.reload(host.daemon.text)
        host.daemon.wait_for_line("reloaded")
        assert cells(host.reclaimctl("status").out[3:]) == [
            ["POLICY", "MODE", "CGROUPS", "NOT", "PERMITTED", "LACKS"],
            ["batch", "enforce", "1", "0", "first_charge"],
            ["web", "monitor", "0", "1", "first_charge"],
        ]
        host.daemon.backend.counts_happen(host.id_of("/batch/a"), swapless=2)
        shown = "\n".join(host.reclaimctl("show", "/batch/a").out)
        assert re.search(r"  does without +first_charge\n", shown)
        assert re.search(r"  no room in swap +in 2 passes", shown)

    run(script)


def test_status_tells_of_losses(run: Run) -> None:
    def script(host: Host) -> None:
        host.daemon.backend.dropped = 3
        assert any(line.startswith("3 events lost") for line in host.reclaimctl("status").out)

    run(script)


def test_status_gives_names_for_completion(run: Run) -> None:
    def script(host: Host) -> None:
        assert host.reclaimctl("status", "--names").out == ["batch", "web"]

    run(script)


def test_status_is_json_for_programs(run: Run) -> None:
    def script(host: Host) -> None:
        (line,) = host.reclaimctl("status", "--json=short").out
        assert json.loads(line)["version"] == __version__

    run(script)


def test_list_is_a_table(run: Run) -> None:
    def script(host: Host) -> None:
        host.daemon.backend.counts_happen(host.id_of("/batch/a"), episodes=3, pages_reclaimed=3 * 256)
        ended = host.reclaimctl("list")
        assert cells(ended.out[1:]) == [
            [
                "/batch/a",
                "batch",
                "enforce",
                "12MiB",
                "40MiB",
                "usage",
                "30MiB",
                "usage",
                "20MiB",
                "3",
                "3MiB",
            ],
            ["/web", "web", "monitor", "0B", "max", "none", "none", "0", "0B"],
        ]

    run(script)


def test_list_is_one_array_for_programs(run: Run) -> None:
    def script(host: Host) -> None:
        (line,) = host.reclaimctl("list", "--json=short").out
        assert [governed["cgroup"] for governed in json.loads(line)] == ["/batch/a", "/web"]

    run(script)


def test_list_gives_names_for_completion(run: Run) -> None:
    def script(host: Host) -> None:
        assert host.reclaimctl("list", "--names").out == ["/batch/a", "/web"]

    run(script)


def test_show_tells_of_rule_counts_and_events(run: Run) -> None:
    def script(host: Host) -> None:
        cgroup_id = host.id_of("/batch/a")
        counts = {
            "triggers": 2,
            "episodes": 2,
            "held_back": 4,
            "delays": 5,
            "delay_us": 60_000,
            "refusals": 7,
            "write_backs": 3,
        }
        host.daemon.backend.counts_happen(cgroup_id, ended_for={StopReason.USAGE: 2}, **counts)
        host.daemon.backend.event_happens(episode(cgroup_id))
        host.daemon.wait_for_line("episode")
        ended = host.reclaimctl("show", "/batch/a")
        assert ended.out[0] == "/batch/a is governed by policy 'batch', in mode enforce"
        told = dict(line.strip().split("  ", 1) for line in ended.out[1:] if line.startswith("  "))
        told = {name: value.strip() for name, value in told.items()}
        assert told["usage"] == "12MiB of 40MiB"
        assert (told["start"], told["stop"], told["floor"]) == ("usage 30MiB", "usage 20MiB", "4MiB")
        assert (told["rate"], told["CPU"]) == ("8MiB/s at most", "20% at most")
        assert told["back-pressure"] == "from 36MiB, up to 40ms at 40MiB"
        assert told["episodes"] == "usage 2"
        assert told["delays"] == "5, of 60ms together"
        assert told["write-back"] == "asked for 3 times"
        assert told["refused"] == "7 charges that tasks can do without"
        assert "held back" in told
        assert ended.out[-1].endswith(
            " /batch/a: reclaimed 2MiB in 3 passes and 10.0ms, from 24MiB to 22MiB; started for usage, ended for usage"
        )

    run(script)


def test_show_tells_of_protection(run: Run) -> None:
    def script(host: Host) -> None:
        text = "\n".join(host.reclaimctl("show", "/web").out)
        assert "as low while pgfaults 5000/s, and 2000ms longer" in text

    run(script)


def test_show_takes_a_path_from_where_cgroups_are_mounted(run: Run) -> None:
    def script(host: Host) -> None:
        assert host.reclaimctl("show", "/sys/fs/cgroup/web/").status == os.EX_OK

    run(script)


def test_show_is_json_for_programs(run: Run) -> None:
    def script(host: Host) -> None:
        (line,) = host.reclaimctl("show", "/batch/a", "--json=short").out
        assert json.loads(line)["governed"]["usage_bytes"] == 12 * MIB

    run(script)


def test_a_cgroup_that_is_not_governed_is_one_line(run: Run) -> None:
    def script(host: Host) -> None:
        ended = host.reclaimctl("show", "/batch")
        assert ended.status == os.EX_NOINPUT
        assert ended.err == ["reclaimctl: /batch is not governed; reclaimctl list shows what is"]

    run(script)
