# SPDX-License-Identifier: GPL-2.0-or-later

from reclaimd.backend.memory_reclaim.plan import NEVER_PAGES, NO_SOURCE, Source, plan
from reclaimd.config.metric import Metric
from reclaimd.policy.rule import Condition, Reclaim
from tests.unit.backend.memory_reclaim.rules import FAULTS, MS, PSI, SWAP, between, rule
from tests.unit.rules import all_of, any_of, usage


def test_a_rule_without_reclaim_never_wakes() -> None:
    assert plan(rule()).wake_pages == NEVER_PAGES
    assert plan(rule()).next_mark(10**9) == NEVER_PAGES


def test_usage_alone_needs_nothing_else_to_be_read() -> None:
    made = plan(rule(between(1000, 500)))
    assert (made.wake_pages, made.aim_pages) == (1000, 500)
    assert made.start_sources == made.stop_sources == NO_SOURCE


def test_below_the_usage_that_all_wait_for_nothing_can_begin() -> None:
    assert plan(rule(Reclaim(all_of(usage(800), FAULTS), all_of(usage(1))))).wake_pages == 800
    assert plan(rule(Reclaim(any_of(usage(800), FAULTS), all_of(usage(1))))).wake_pages == 0


def test_what_is_read_is_what_conditions_look_at() -> None:
    made = plan(rule(Reclaim(any_of(FAULTS, SWAP), any_of(PSI, Condition(Metric.EVENTS_MAX, 1, 1000)))))
    assert made.start_sources == Source.STAT | Source.SWAP
    assert made.stop_sources == Source.PRESSURE | Source.EVENTS


def test_the_shortest_window_decides_how_often_it_is_read() -> None:
    made = plan(rule(Reclaim(any_of(FAULTS, PSI), all_of(Condition(Metric.REFAULTS, 1, 100)))))
    assert (made.start_tick_ns, made.stop_tick_ns) == (250 * MS, 50 * MS)


def test_marks_are_the_usages_that_start_compares_with() -> None:
    made = plan(rule(Reclaim(any_of(usage(800), usage(600), FAULTS), all_of(usage(1)))))
    assert [made.next_mark(pages) for pages in (0, 599, 600, 800)] == [600, 600, 800, None]


def test_the_way_to_the_limit_leaves_time() -> None:
    assert plan(rule(between(1000, 500))).slack_pages == 0
    assert plan(rule(between(1000, 500), limit_pages=1800)).slack_pages == 100


def test_bounds_on_usage_make_no_other_conditions() -> None:
    one, other = (plan(rule(Reclaim(all_of(usage(pages), FAULTS), all_of(usage(1))))) for pages in (5, 6))
    assert one.conditions == other.conditions
    assert one.conditions != plan(rule(between(5, 1))).conditions
