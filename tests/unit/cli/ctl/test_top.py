# SPDX-License-Identifier: GPL-2.0-or-later

import json
import os
from typing import Any

import pytest

from reclaimd.cli.ctl.top import activities, row
from reclaimd.cli.reclaimctl import main
from tests.unit.cli.ctl.conftest import MIB, Host, Run


def governed(cgroup: str, usage_bytes: int = 0, **counters: int) -> dict[str, Any]:
    return {
        "cgroup": cgroup,
        "policy": "batch",
        "mode": "enforce",
        "usage_bytes": usage_bytes,
        "counters": counters,
    }


def test_rates_are_what_grew_in_a_second() -> None:
    before = [governed("/a", reclaimed_bytes=MIB, episodes=1, reclaim_cpu_ns=0, delay_ms=5, throttle_ms=0)]
    after = [
        governed("/a", reclaimed_bytes=5 * MIB, episodes=2, reclaim_cpu_ns=10**9, delay_ms=9, throttle_ms=2)
    ]
    (one,) = activities(before, after, elapsed_s=2)
    assert (one.reclaimed_bytes_per_s, one.episodes_per_s) == (2 * MIB, 0.5)
    assert (one.cpu_percent, one.delay_ms_per_s) == (50, 3)


def test_those_that_most_is_reclaimed_from_come_first_then_the_largest() -> None:
    before = [governed(cgroup, reclaimed_bytes=0) for cgroup in ("/a", "/b", "/c")]
    after = [
        governed("/a", 1, reclaimed_bytes=0),
        governed("/b", 2, reclaimed_bytes=0),
        governed("/c", 0, reclaimed_bytes=1),
    ]
    assert [one.governed["cgroup"] for one in activities(before, after, 1)] == ["/c", "/b", "/a"]


@pytest.mark.parametrize("before", [[], [governed("/a", reclaimed_bytes=2 * MIB)]])
def test_a_cgroup_that_was_made_meanwhile_has_no_rates(before: list[dict[str, Any]]) -> None:
    (one,) = activities(before, [governed("/a", reclaimed_bytes=MIB)], 1)
    assert one.reclaimed_bytes_per_s == 0


def test_a_cgroup_without_counters_is_shown() -> None:
    plain = governed("/a")
    del plain["counters"]
    (one,) = activities([plain], [plain], 1)
    assert row(one)[0] == "/a"


def test_batches_are_tables(run: Run) -> None:
    def script(host: Host) -> None:
        ended = host.reclaimctl("top", "--batch", "-n", "2", "-d", "0.1")
        assert ended.status == os.EX_OK
        assert [line.split()[0] for line in ended.out if line] == ["CGROUP", "/batch/a", "/web"] * 2
        assert ended.out.count("") == 1

    run(script)


def test_batches_are_json_for_programs(run: Run) -> None:
    def script(host: Host) -> None:
        ended = host.reclaimctl("top", "--json=short", "-n", "2", "-d", "0.1")
        for line in ended.out:
            assert [one["governed"]["cgroup"] for one in json.loads(line)] == ["/batch/a", "/web"]
        assert len(ended.out) == 2

    run(script)


@pytest.mark.parametrize("arguments", [["-n", "0"], ["-n", "few"], ["-d", "0"], ["-d", "nan"]])
def test_numbers_out_of_range_are_a_wrong_command_line(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["top", *arguments])
    assert ended.value.code == 2
