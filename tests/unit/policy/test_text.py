# SPDX-License-Identifier: GPL-2.0-or-later

import pytest

from reclaimd.config.metric import Metric
from reclaimd.policy.rule import Combination, Condition
from reclaimd.policy.text import bound_text, combination_text, condition_text, duration_text

PAGE = 4096
MS = 1_000_000
USAGE = Condition(Metric.USAGE, 6144)
PSI = Condition(Metric.PSI_SOME, 200 * MS, 2000)
FAULTS = Condition(Metric.PGFAULTS, 5000, 1000)


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (USAGE, "usage 24MiB"),
        (Condition(Metric.SWAP_FREE, 0), "swap_free 0B"),
        (Condition(Metric.RECLAIMED, 16384), "reclaimed 64MiB"),
        (Condition(Metric.AFTER, 1500 * MS), "after 1.5s"),
        (Condition(Metric.AFTER, 100 * MS), "after 100ms"),
        (PSI, "psi_some 10%/2s"),
        (Condition(Metric.PSI_FULL, 5 * MS, 500), "psi_full 1%/500ms"),
        (FAULTS, "pgfaults 5000/s"),
        (Condition(Metric.REFAULTS, 7, 1000), "refaults 7/s"),
        (Condition(Metric.REFAULTS_ANON, 7, 1000), "refaults_anon 7/s"),
        (Condition(Metric.REFAULTS_FILE, 0, 1000), "refaults_file 0/s"),
        (Condition(Metric.EVENTS_HIGH, 1, 1000), "events_high 1/s"),
        (Condition(Metric.EVENTS_MAX, 3, 100), "events_max 3/100ms"),
        (Condition(Metric.EVENTS_OOM, 3, 60_000), "events_oom 3/60s"),
    ],
)
def test_conditions_in_words(condition: Condition, text: str) -> None:
    assert condition_text(condition, PAGE) == text


def test_pages_are_those_of_the_machine() -> None:
    assert bound_text(Condition(Metric.USAGE, 384), 65536) == "24MiB"


@pytest.mark.parametrize(
    ("duration_ms", "text"), [(1, "1ms"), (999, "999ms"), (1000, "1s"), (1500, "1.5s"), (60_000, "60s")]
)
def test_durations_in_words(duration_ms: int, text: str) -> None:
    assert duration_text(duration_ms) == text


@pytest.mark.parametrize(
    ("groups", "any_of_all", "text"),
    [
        (((USAGE,),), True, "usage 24MiB"),
        (((USAGE,),), False, "usage 24MiB"),
        (((USAGE, PSI),), True, "all(usage 24MiB, psi_some 10%/2s)"),
        (((USAGE, PSI),), False, "any(usage 24MiB, psi_some 10%/2s)"),
        (((USAGE,), (PSI, FAULTS)), True, "any(usage 24MiB, all(psi_some 10%/2s, pgfaults 5000/s))"),
        (((USAGE,), (PSI, FAULTS)), False, "all(usage 24MiB, any(psi_some 10%/2s, pgfaults 5000/s))"),
    ],
)
def test_combinations_in_words(
    groups: tuple[tuple[Condition, ...], ...],
    any_of_all: bool,  # noqa: FBT001  a parameter of the test
    text: str,
) -> None:
    assert combination_text(Combination(groups, any_of_all), PAGE) == text
