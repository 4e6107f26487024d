# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

from tests.bench.experiment import DEMO_MODES, FILE_64, FILE_256
from tests.bench.vm_runs import Plan, fresh_directory


def plan(sources: Path | None = None, *, reaction: bool = False) -> Plan:
    return Plan(
        [FILE_64, FILE_256], DEMO_MODES, 3, Path("x.yaml"), "http://x/metrics", Path("log"), sources, reaction
    )


def test_a_plan_counts_its_runs() -> None:
    assert plan().total == 12


def test_the_guest_is_told_modes_and_workloads_by_their_words() -> None:
    command = " ".join(plan().command)
    assert "--modes none reclaimd --workloads file-64 file-256 " in command


def test_the_guest_is_told_of_sources_and_of_the_reaction_only_if_wanted() -> None:
    assert not {"--sources", "--reaction"} & set(plan().command)
    assert {"--sources", "--reaction"} <= set(plan(Path("libfdt"), reaction=True).command)


def test_results_of_an_earlier_time_are_gone(tmp_path: Path) -> None:
    (tmp_path / "report.json").touch()
    fresh_directory(tmp_path, (tmp_path / "report.json", tmp_path / "never-made"))
    assert list(tmp_path.iterdir()) == []
