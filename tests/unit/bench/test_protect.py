# SPDX-License-Identifier: GPL-2.0-or-later
"""What the experiment on protection says of its runs."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from reclaimd.cgroup.facts import CgroupFacts, Memory
from reclaimd.cgroup.machine import Machine
from reclaimd.config import load_config
from reclaimd.policy.resolve import resolve
from tests.bench.protect.chart import draw
from tests.bench.protect.experiment import (
    HOT_MIB,
    MEMORY_MIB,
    SIZE_MIB,
    Case,
    Mode,
    Name,
    Run,
    Scenario,
    cases,
    run_from_line,
)
from tests.bench.protect.verdict import checks, table
from tests.lab import CHECKOUT

GOOD = {
    (Scenario.HIGH_IDLE, Mode.NONE, Name.LOW): 5000.0,
    (Scenario.HIGH_IDLE, Mode.MEMORY_LOW, Name.LOW): 100.0,
    (Scenario.HIGH_IDLE, Mode.RECLAIMD, Name.LOW): 1000.0,
    (Scenario.BOTH_ACTIVE, Mode.NONE, Name.HIGH): 10.0,
    (Scenario.BOTH_ACTIVE, Mode.MEMORY_LOW, Name.HIGH): 1000.0,
    (Scenario.BOTH_ACTIVE, Mode.RECLAIMD, Name.HIGH): 850.0,
    (Scenario.BOTH_ACTIVE, Mode.NONE, Name.LOW): 10.0,
    (Scenario.BOTH_ACTIVE, Mode.MEMORY_LOW, Name.LOW): 1.0,
    (Scenario.BOTH_ACTIVE, Mode.RECLAIMD, Name.LOW): 1.0,
}


def runs_of(figures: Mapping[tuple[Scenario, Mode, Name], float]) -> list[Run]:
    """Make three runs of each, the second of which is typical."""
    return [
        Run(scenario, mode, cgroup, number, figure * factor)
        for (scenario, mode, cgroup), figure in figures.items()
        for number, factor in enumerate((0.5, 1, 7), 1)
    ]


def test_marks_that_are_just_reached_are_met() -> None:
    assert [met for met, _ in checks(runs_of(GOOD))] == [True, True]


@pytest.mark.parametrize(
    ("of", "figure", "verdict"),
    [
        ((Scenario.HIGH_IDLE, Mode.RECLAIMD, Name.LOW), 999.0, [False, True]),
        ((Scenario.BOTH_ACTIVE, Mode.RECLAIMD, Name.HIGH), 849.0, [True, False]),
    ],
)
def test_a_mark_that_is_missed_is_said(
    of: tuple[Scenario, Mode, Name], figure: float, verdict: list[bool]
) -> None:
    assert [met for met, _ in checks(runs_of({**GOOD, of: figure}))] == verdict


def test_the_table_has_a_line_for_each_that_works() -> None:
    headings, *lines = table(runs_of(GOOD)).splitlines()
    assert headings.split() == ["operations/s", "none", "memory.low", "reclaimd"]
    assert [line.partition("  ")[0] for line in lines] == [
        "high sleeps: low",
        "both work: high",
        "both work: low",
    ]


def test_the_chart_is_a_picture(tmp_path: Path) -> None:
    draw("title", runs_of(GOOD), tmp_path / "chart.png")
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_survives_its_way_to_the_host() -> None:
    run = Run(Scenario.BOTH_ACTIVE, Mode.MEMORY_LOW, Name.HIGH, 2, 12.5)
    assert run_from_line(run.to_line()) == run


def test_modes_take_turns() -> None:
    assert [case.mode for case in cases(2)] == [*Mode] * 4


def test_each_wants_half_as_much_again_as_there_is_and_is_busy_with_less() -> None:
    assert SIZE_MIB == 1.5 * MEMORY_MIB
    assert HOT_MIB < MEMORY_MIB < 2 * HOT_MIB


def test_the_shipped_policy_is_for_the_runs_of_its_mode_alone() -> None:
    loaded = load_config(CHECKOUT / "config/examples/protect-demo.yaml")
    parents = [Case(Scenario.HIGH_IDLE, mode, 1).parent for mode in Mode]
    cgroups = [
        CgroupFacts(number, f"{parent}/{name}", Memory(0, None, None))
        for number, (parent, name) in enumerate(
            (parent, name) for parent in dict.fromkeys(parents) for name in Name
        )
    ]
    resolution = resolve(loaded, cgroups, page_bytes=4096, machine=Machine(1 << 31, 1 << 29))
    assert {rule.path for rule in resolution.rules} == {f"{parents[-1]}/{name}" for name in Name}
    assert resolution.problems == ()
