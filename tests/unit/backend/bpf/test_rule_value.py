# SPDX-License-Identifier: GPL-2.0-or-later

import pytest

from reclaimd.backend.bpf.rule_value import LAST_PAGES, NEVER_PAGES, rule_value
from reclaimd.config.metric import Metric
from reclaimd.config.models import Mode, ProtectAs
from reclaimd.kernel.layout import CombinationValue, MetricCode, ProtectCode, RuleFlag
from reclaimd.policy.rule import (
    SWAPPINESS_ANON_ONLY,
    SWAPPINESS_OWN,
    BackPressure,
    Combination,
    Condition,
    Protect,
    Reclaim,
    Rule,
    Throttle,
)
from tests.unit.rules import all_of, any_of, at_usage, usage

MS = 1_000_000
AFTER = Condition(Metric.AFTER, 5000 * MS)
PSI = Condition(Metric.PSI_SOME, 200 * MS, 2000)
FAULTS = Condition(Metric.PGFAULTS, 5000, 1000)
EVENTS = Condition(Metric.EVENTS_MAX, 1, 10_000)
SWAP = Condition(Metric.SWAP_FREE, 7)


def rule(
    start: Combination | None = None,
    stop: Combination | None = None,
    *,
    protect: Combination | None = None,
    pressure: BackPressure | None = None,
    throttles: tuple[Throttle, ...] = (),
    mode: Mode = Mode.ENFORCE,
) -> Rule:
    return Rule(
        cgroup_id=7,
        path="/a",
        policy="batch",
        mode=mode,
        reclaim=Reclaim(start, stop or at_usage(50)) if start else None,
        back_pressure=pressure,
        protect=Protect(ProtectAs.LOW, protect, 2000) if protect else None,
        throttles=throttles,
    )


def flags(rule: Rule) -> RuleFlag:
    return RuleFlag(rule_value(rule).flags)


def wake_pages(rule: Rule) -> int:
    return int(rule_value(rule).wake_pages)


def groups(value: CombinationValue) -> list[int]:
    return list(value.groups)


def test_usage_needs_no_timer() -> None:
    assert flags(rule(at_usage(100))) == RuleFlag(0)


def test_a_policy_that_only_watches_says_so() -> None:
    assert flags(rule(at_usage(100), mode=Mode.MONITOR)) == RuleFlag.MONITOR


@pytest.mark.parametrize("condition", [EVENTS, SWAP])
def test_what_charges_do_not_see_needs_the_timer(condition: Condition) -> None:
    assert flags(rule(any_of(usage(100), condition))) == RuleFlag.TIMED


def test_protection_needs_the_timer_whatever_it_is_for() -> None:
    assert flags(rule(protect=at_usage(100))) == RuleFlag.TIMED


def test_a_stop_on_usage_and_the_episode_needs_no_timer() -> None:
    assert flags(rule(at_usage(100), any_of(usage(50), AFTER, Condition(Metric.RECLAIMED, 9)))) == RuleFlag(0)


@pytest.mark.parametrize("condition", [EVENTS, SWAP])
def test_a_stop_on_anything_else_does(condition: Condition) -> None:
    assert flags(rule(at_usage(100), all_of(usage(50), condition))) == RuleFlag.STOP_TIMED


@pytest.mark.parametrize(
    "metric", [Metric.PGFAULTS, Metric.REFAULTS, Metric.REFAULTS_ANON, Metric.REFAULTS_FILE]
)
def test_faults_are_read_from_the_statistics(metric: Metric) -> None:
    expected = RuleFlag.TIMED | RuleFlag.READS_STATS
    assert flags(rule(all_of(Condition(metric, 1, 1000)))) == expected


@pytest.mark.parametrize("metric", [Metric.PSI_SOME, Metric.PSI_FULL])
def test_pressure_is_read(metric: Metric) -> None:
    assert flags(rule(all_of(Condition(metric, 1, 1000)))) == RuleFlag.TIMED | RuleFlag.READS_PSI


def test_what_only_stop_looks_at_is_read_too() -> None:
    expected = RuleFlag.STOP_TIMED | RuleFlag.READS_PSI | RuleFlag.READS_STATS
    assert flags(rule(at_usage(100), all_of(PSI, FAULTS))) == expected


def test_what_only_protection_looks_at_is_read_too() -> None:
    expected = RuleFlag.TIMED | RuleFlag.READS_STATS
    assert flags(rule(at_usage(100), protect=all_of(FAULTS))) == expected


@pytest.mark.parametrize(
    ("start", "pages"),
    [
        (at_usage(100), 100),
        (any_of(usage(100), usage(90)), 90),
        (all_of(usage(100), usage(90)), 100),
        (all_of(usage(100), PSI), 100),
        (any_of(usage(100), PSI), 0),
        (all_of(PSI), 0),
        (any_of(PSI), 0),
        (Combination(((usage(100), PSI), (usage(80),)), any_of_all=True), 80),
        (Combination(((usage(100), PSI), (FAULTS,)), any_of_all=True), 0),
        (Combination(((usage(100), PSI), (usage(80),)), any_of_all=False), 80),
        (Combination(((usage(100), usage(60)), (usage(80),)), any_of_all=False), 80),
        (Combination(((usage(100), PSI), (FAULTS,)), any_of_all=False), 0),
    ],
)
def test_charges_matter_from_where_start_can_hold(start: Combination, pages: int) -> None:
    assert wake_pages(rule(start)) == pages


@pytest.mark.parametrize(("protect", "pages"), [(at_usage(90), 90), (at_usage(110), 100), (all_of(PSI), 0)])
def test_charges_matter_from_where_protection_can_hold(protect: Combination, pages: int) -> None:
    assert wake_pages(rule(at_usage(100), protect=protect)) == pages


@pytest.mark.parametrize(
    ("start", "pages"),
    [
        (None, 0),
        (at_usage(100), 50),
        (all_of(usage(100), PSI), 50),
        (any_of(usage(100), PSI), 0),
        (all_of(PSI), 0),
    ],
)
def test_dirty_pages_are_seen_to_from_half_of_where_usage_starts(
    start: Combination | None, pages: int
) -> None:
    assert rule_value(rule(start)).write_back_pages == pages


def test_every_charge_matters_to_who_is_throttled() -> None:
    assert wake_pages(rule(at_usage(100), throttles=(Throttle(9, 10),))) == 0


@pytest.mark.parametrize(("start", "pages"), [(None, 120), (at_usage(100), 100), (at_usage(150), 120)])
def test_charges_matter_from_where_delays_begin(start: Combination | None, pages: int) -> None:
    assert wake_pages(rule(start, pressure=BackPressure(120, 200, 10))) == pages


def test_no_charge_matters_to_a_rule_without_anything() -> None:
    assert wake_pages(rule()) == NEVER_PAGES


@pytest.mark.parametrize(
    ("given", "linger_ms"),
    [
        (rule(), 0),
        (rule(at_usage(100)), 0),
        (rule(any_of(usage(100), PSI, FAULTS)), 4000),
        (rule(at_usage(100), protect=all_of(EVENTS)), 20_000),
        (rule(all_of(EVENTS), protect=all_of(PSI)), 20_000),
        (rule(at_usage(100), all_of(PSI)), 0),
        (rule(all_of(Condition(Metric.SWAP_FREE, 1))), 2000),
    ],
)
def test_the_timer_goes_on_for_two_windows_of_what_begins_something(given: Rule, linger_ms: int) -> None:
    assert rule_value(given).linger_ns == linger_ms * MS


@pytest.mark.parametrize(
    ("combination", "masks"),
    [
        (at_usage(100), [0b1, 0, 0, 0]),
        (any_of(usage(100), PSI, FAULTS), [0b111, 0, 0, 0]),
        (Combination(((PSI,), (FAULTS, SWAP), (usage(9),)), any_of_all=True), [0b1, 0b110, 0b1000, 0]),
        (Combination(((usage(9), PSI),) * 4, any_of_all=True), [0b11, 0b1100, 0b110000, 0b11000000]),
    ],
)
def test_a_group_is_a_mask_of_its_conditions(combination: Combination, masks: list[int]) -> None:
    assert groups(rule_value(rule(combination)).start) == masks


@pytest.mark.parametrize("any_of_all", [True, False])
def test_how_groups_are_joined(any_of_all: bool) -> None:  # noqa: FBT001  a parameter of the test
    assert rule_value(rule(Combination(((PSI,), (SWAP,)), any_of_all))).start.any_of_all == any_of_all


@pytest.mark.parametrize("metric", Metric)
def test_every_metric_has_its_code(metric: Metric) -> None:
    start = rule_value(rule(all_of(Condition(metric, 3, 500)))).start
    condition = start.conditions[0]
    assert (start.nr_conditions, condition.bound, condition.window_ns) == (1, 3, 500 * MS)
    assert condition.metric == MetricCode[metric.name]


def test_stop_and_protect_have_a_place_each() -> None:
    value = rule_value(rule(at_usage(1), any_of(usage(2), PSI), protect=all_of(FAULTS)))
    assert [value.start.nr_conditions, value.stop.nr_conditions, value.protect.nr_conditions] == [1, 2, 1]


def test_a_rule_without_reclaim_never_starts() -> None:
    value = rule_value(rule(protect=at_usage(1)))
    assert (value.start.nr_conditions, groups(value.start)) == (0, [0, 0, 0, 0])


@pytest.mark.parametrize(
    ("stop", "aim_pages"), [(at_usage(50), 50), (any_of(usage(50), usage(40), PSI), 40), (all_of(PSI), 0)]
)
def test_passes_aim_at_the_lowest_usage_in_stop(stop: Combination, aim_pages: int) -> None:
    assert rule_value(rule(at_usage(100), stop)).aim_pages == aim_pages


def test_what_reclaim_may_cost() -> None:
    reclaim = Reclaim(
        at_usage(100),
        at_usage(50),
        floor_pages=1,
        pass_pages=2,
        rate_pages_per_s=3,
        cpu_permille=50,
        cooldown_ms=5,
        backoff_min_ms=6,
        backoff_max_ms=7,
    )
    value = rule_value(Rule(7, "/a", "batch", reclaim=reclaim))
    assert (value.floor_pages, value.pass_pages, value.rate_pages_per_s) == (1, 2, 3)
    assert value.cpu_ns_per_s == 50 * MS
    assert (value.cooldown_ns, value.backoff_min_ns, value.backoff_max_ns) == (5 * MS, 6 * MS, 7 * MS)


@pytest.mark.parametrize("swappiness", [0, 200, SWAPPINESS_OWN, SWAPPINESS_ANON_ONLY])
def test_swappiness_is_signed(swappiness: int) -> None:
    reclaim = Reclaim(at_usage(100), at_usage(50), swappiness=swappiness)
    assert rule_value(Rule(7, "/a", "batch", reclaim=reclaim)).swappiness == swappiness


@pytest.mark.parametrize(
    ("start_pages", "full_pages", "delay_full_pages"),
    [
        (10 * LAST_PAGES, 20 * LAST_PAGES, 19 * LAST_PAGES),
        (10 * LAST_PAGES, 12 * LAST_PAGES, 11 * LAST_PAGES),
        (10 * LAST_PAGES, 11 * LAST_PAGES, 10 * LAST_PAGES + LAST_PAGES // 2),
        (10, 11, 10),
    ],
)
def test_delays_are_full_two_batches_below_the_limit_or_half_way(
    start_pages: int, full_pages: int, delay_full_pages: int
) -> None:
    value = rule_value(rule(at_usage(1), pressure=BackPressure(start_pages, full_pages, 40)))
    assert (value.delay_start_pages, value.max_delay_ms) == (start_pages, 40)
    assert value.delay_full_pages == delay_full_pages


def test_there_are_no_delays_without_back_pressure() -> None:
    value = rule_value(rule(at_usage(1)))
    assert (value.delay_start_pages, value.delay_full_pages, value.max_delay_ms) == (0, 0, 0)


@pytest.mark.parametrize("protect_as", ProtectAs)
def test_protection(protect_as: ProtectAs) -> None:
    value = rule_value(Rule(7, "/a", "web", protect=Protect(protect_as, all_of(FAULTS), 1500)))
    assert value.protect_as == ProtectCode[protect_as.name]
    assert value.protect_for_ns == 1500 * MS


def test_throttles_come_in_order_and_the_rest_is_unused() -> None:
    value = rule_value(rule(throttles=(Throttle(9, 10), Throttle(8, 20))))
    assert [(t.cgroup_id, t.delay_ms) for t in value.throttles] == [(9, 10), (8, 20), (0, 0), (0, 0)]


def test_the_fingerprint_is_another_for_other_conditions_in_any_place() -> None:
    rules = [
        rule(all_of(PSI)),
        rule(all_of(FAULTS)),
        rule(all_of(PSI, FAULTS)),
        rule(all_of(FAULTS, PSI)),
        rule(all_of(Condition(Metric.PSI_SOME, 200 * MS, 5000))),
        rule(all_of(Condition(Metric.PSI_SOME, 300 * MS, 2000))),
        rule(all_of(PSI), all_of(EVENTS)),
        rule(protect=all_of(PSI)),
    ]
    fingerprints = {rule_value(each).fingerprint for each in rules}
    assert len(fingerprints) == len(rules)
    assert 0 not in fingerprints


def test_the_fingerprint_stays_when_a_bound_on_usage_follows_a_limit() -> None:
    one, other = (rule_value(rule(any_of(usage(pages), PSI))) for pages in (100, 200))
    assert one.fingerprint == other.fingerprint
