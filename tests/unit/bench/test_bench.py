# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from reclaimd.bench.experiment import FILE_64, START_SHARE, STOP_SHARE, Case, Mode
from reclaimd.bench.governor import configuration
from reclaimd.cgroup.facts import CgroupFacts, Memory
from reclaimd.cgroup.machine import read_machine
from reclaimd.config import load_config
from reclaimd.policy.resolve import resolve
from reclaimd.policy.rule import Rule

PAGE_BYTES = 4096
LIMIT_PAGES = FILE_64.limit_mib * 256


PARENT = "/reclaimd-bench.slice"


def rules(mode: Mode, directory: Path) -> list[Rule]:
    config = directory / "reclaimd.yaml"
    config.write_text(configuration(PARENT))
    facts = [
        CgroupFacts(
            1, PARENT + cgroup, Memory(current_bytes=0, max_bytes=LIMIT_PAGES * PAGE_BYTES, high_bytes=None)
        )
        for cgroup in Case(FILE_64, mode, run=1).cgroups
    ]
    return list(resolve(load_config(config), facts, page_bytes=PAGE_BYTES, machine=read_machine()).rules)


@pytest.mark.parametrize("mode", [Mode.RECLAIMD, Mode.NO_BACK_PRESSURE])
def test_the_policies_start_and_stop_where_the_other_modes_do(mode: Mode, tmp_path: Path) -> None:
    (rule,) = rules(mode, tmp_path)
    assert rule.reclaim is not None
    assert rule.reclaim.start.lowest_usage_pages == START_SHARE * LIMIT_PAGES
    assert rule.reclaim.stop.lowest_usage_pages == STOP_SHARE * LIMIT_PAGES


def test_only_reclaimd_as_shipped_has_back_pressure(tmp_path: Path) -> None:
    assert rules(Mode.RECLAIMD, tmp_path)[0].back_pressure is not None
    assert rules(Mode.NO_BACK_PRESSURE, tmp_path)[0].back_pressure is None


@pytest.mark.parametrize("mode", sorted(set(Mode) - {Mode.RECLAIMD, Mode.NO_BACK_PRESSURE}))
def test_the_other_modes_cgroups_are_not_governed(mode: Mode, tmp_path: Path) -> None:
    assert rules(mode, tmp_path) == []
