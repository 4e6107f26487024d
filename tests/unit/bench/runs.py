# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs to judge: every must-show is met by them as they come."""

from collections.abc import Callable

from tests.bench.experiment import LIMIT_MIB, Case, Mode, cases
from tests.bench.report import Run


def good_run(case: Case) -> Run:
    """A run that is as it should be."""
    governed = case.mode is Mode.RECLAIMD
    return Run(
        mode=case.mode,
        workload=case.workload.kind,
        size_mib=case.workload.size_mib,
        limit_mib=LIMIT_MIB,
        run=case.run,
        max_events=0 if governed else 700,
        high_events=0,
        oom_kills=0,
        psi_some_us=250_000,
        pgscan_direct=0 if governed else 90_000,
        pgscan_proactive=90_000 if governed else 0,
        wall_s=2.0,
        episodes=30 if governed else 0,
        passes=90 if governed else 0,
        pages_reclaimed=20_000 if governed else 0,
        p50_us=0.5,
        p99_us=100.0,
        p999_us=900.0,
        max_us=70_000.0,
    )


def good_runs(count: int = 2) -> list[Run]:
    """All runs of a demo in which everything is as it should be."""
    return [good_run(case) for case in cases(count)]


def with_run(runs: list[Run], case: Case, change: Callable[[Run], Run]) -> list[Run]:
    """The runs with one of them changed."""
    changed = [
        change(run) if (run.of, run.mode, run.run) == (case.workload, case.mode, case.run) else run
        for run in runs
    ]
    assert changed != runs
    return changed
