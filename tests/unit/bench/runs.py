# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs to judge: every must-show is met by them as they come."""

from collections.abc import Callable

from reclaimd.bench.experiment import DEMO_MODES, DEMO_WORKLOADS, GOVERNED_MODES, Case, cases
from reclaimd.bench.report import Run


def good_run(case: Case) -> Run:
    """A run that is as it should be."""
    governed = case.mode in GOVERNED_MODES
    return Run(
        mode=case.mode,
        workload=case.workload.kind,
        size_mib=case.workload.size_mib,
        limit_mib=case.workload.limit_mib,
        cgroups=case.workload.cgroups,
        run=case.run,
        max_events=0 if governed else 700,
        high_events=0,
        oom_kills=0,
        psi_some_us=250_000,
        psi_full_us=200_000,
        pgscan_direct=0 if governed else 90_000,
        pgscan_proactive=90_000 if governed else 0,
        pgsteal_direct=0 if governed else 20_000,
        pgsteal_proactive=20_000 if governed else 0,
        refaults_anon=0,
        refaults_file=40_000,
        wall_s=2.0,
        cgroup_cpu_s=1.5,
        reclaim_cpu_s=0.5 if governed else None,
        episodes=30 if governed else 0,
        passes=90 if governed else 0,
        pages_reclaimed=20_000 if governed else 0,
        delays=20 if governed else 0,
        delay_s=0.5 if governed else 0.0,
        worker_cpu_s=0.4 if governed else 0.0,
        ops_per_s=25_000.0,
        ops_p50_us=0.5,
        ops_p99_us=100.0,
        ops_p999_us=900.0,
        ops_max_us=70_000.0,
    )


def good_runs(count: int = 2) -> list[Run]:
    """All runs of a demo in which everything is as it should be."""
    return [good_run(case) for case in cases(DEMO_WORKLOADS, DEMO_MODES, count)]


def with_run(runs: list[Run], case: Case, change: Callable[[Run], Run]) -> list[Run]:
    """The runs with one of them changed."""
    changed = [
        change(run) if (run.name, run.mode, run.run) == (str(case.workload), case.mode, case.run) else run
        for run in runs
    ]
    assert changed != runs
    return changed
