# SPDX-License-Identifier: GPL-2.0-or-later
"""A rule in the layout that the BPF programs read."""

from hashlib import blake2b

from reclaimd.config.metric import PSI, Metric
from reclaimd.config.models import Mode
from reclaimd.kernel.layout import (
    CombinationValue,
    ConditionValue,
    MetricCode,
    ProtectCode,
    RuleFlag,
    RuleValue,
    ThrottleValue,
)
from reclaimd.policy.rule import BackPressure, Combination, Reclaim, Rule

NS_PER_MS = 1_000_000
#: Free swap has no window: it is looked at for twice so long after the last charge.
SWAP_MS = 1000
#: Of one CPU, in a second.
NS_PER_PERMILLE = 1_000_000

#: Two batches of charges (MEMCG_CHARGE_BATCH, mm/memcontrol.c).
LAST_PAGES = 128

#: No usage reaches it.
NEVER_PAGES = (1 << 64) - 1

#: What an episode measures of itself, and what a charge sees.
_OWN = {Metric.USAGE, Metric.RECLAIMED, Metric.AFTER}
_STATS = {Metric.PGFAULTS, Metric.REFAULTS, Metric.REFAULTS_ANON, Metric.REFAULTS_FILE}


def rule_value(rule: Rule) -> RuleValue:
    """The rule as ``struct reclaimd_rule``."""
    value = RuleValue(flags=_flags(rule), linger_ns=_linger_ns(rule), wake_pages=_wake_pages(rule))
    if rule.reclaim:
        _set_reclaim(value, rule.reclaim)
    if rule.back_pressure:
        _set_back_pressure(value, rule.back_pressure)
    if rule.protect:
        value.protect = _combination(rule.protect.condition)
        value.protect_as = ProtectCode[rule.protect.protect_as.name]
        value.protect_for_ns = rule.protect.for_ms * NS_PER_MS
    for place, throttle in enumerate(rule.throttles):
        value.throttles[place] = ThrottleValue(throttle.protected_cgroup_id, throttle.delay_ms)
    value.fingerprint = _fingerprint(value)
    return value


def _fingerprint(value: RuleValue) -> int:
    """A number that is another one, and never 0, for other conditions; bounds on usage aside, which need no measuring."""
    measured = []
    for combination in (value.start, value.stop, value.protect):
        for condition in combination.conditions[: combination.nr_conditions]:
            bound = 0 if condition.metric == MetricCode.USAGE else condition.bound
            measured.append((condition.metric, condition.window_ns, bound))
        measured.append((combination.nr_conditions, 0, 0))
    digest = blake2b(repr(measured).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1


def _set_reclaim(value: RuleValue, reclaim: Reclaim) -> None:
    value.start = _combination(reclaim.start)
    value.stop = _combination(reclaim.stop)
    # While the other half is charged, this one can be written back.
    value.write_back_pages = reclaim.start.holds_from_pages // 2
    value.aim_pages = reclaim.stop.lowest_usage_pages or 0
    value.floor_pages = reclaim.floor_pages
    value.pass_pages = reclaim.pass_pages
    value.rate_pages_per_s = reclaim.rate_pages_per_s
    value.cpu_ns_per_s = reclaim.cpu_permille * NS_PER_PERMILLE
    value.cooldown_ns = reclaim.cooldown_ms * NS_PER_MS
    value.backoff_min_ns = reclaim.backoff_min_ms * NS_PER_MS
    value.backoff_max_ns = reclaim.backoff_max_ms * NS_PER_MS
    value.swappiness = reclaim.swappiness


def _set_back_pressure(value: RuleValue, pressure: BackPressure) -> None:
    value.delay_start_pages = pressure.start_pages
    # Where the next charges would not fit is as far as delays can be of use; if that is not much above their
    # start, they still get half of the way to grow.
    middle_pages = (pressure.start_pages + pressure.full_pages) // 2
    value.delay_full_pages = max(middle_pages, pressure.full_pages - LAST_PAGES)
    value.max_delay_ms = pressure.max_delay_ms


def _combination(combination: Combination) -> CombinationValue:
    value = CombinationValue(any_of_all=combination.any_of_all)
    place = 0
    for number, group in enumerate(combination.groups):
        for condition in group:
            value.conditions[place] = ConditionValue(
                bound=condition.bound,
                window_ns=condition.window_ms * NS_PER_MS,
                metric=MetricCode[condition.metric.name],
            )
            value.groups[number] |= 1 << place
            place += 1
    value.nr_conditions = place
    return value


def _flags(rule: Rule) -> RuleFlag:
    start, protect = _metrics(_start(rule)), _metrics(_protect(rule))
    stop = _metrics(rule.reclaim.stop if rule.reclaim else None)
    everything = start | stop | protect
    flags = RuleFlag(0)
    if rule.mode is Mode.MONITOR:
        flags |= RuleFlag.MONITOR
    if protect or start - _OWN:
        flags |= RuleFlag.TIMED
    if stop - _OWN:
        flags |= RuleFlag.STOP_TIMED
    if everything & _STATS:
        flags |= RuleFlag.READS_STATS
    if everything & PSI:
        flags |= RuleFlag.READS_PSI
    return flags


def _linger_ns(rule: Rule) -> int:
    """As long as a window can still hold something of what the last charge did."""
    combinations = [combination for combination in (_start(rule), _protect(rule)) if combination]
    conditions = [condition for combination in combinations for condition in combination.conditions]
    windows_ms = [SWAP_MS if c.metric is Metric.SWAP_FREE else c.window_ms for c in conditions]
    return 2 * max(windows_ms, default=0) * NS_PER_MS


def _wake_pages(rule: Rule) -> int:
    """The lowest usage at which a charge can mean anything to the rule."""
    if rule.throttles:
        return 0
    pages = [combination.holds_from_pages for combination in (_start(rule), _protect(rule)) if combination]
    if rule.back_pressure:
        pages.append(rule.back_pressure.start_pages)
    return min(pages, default=NEVER_PAGES)


def _start(rule: Rule) -> Combination | None:
    return rule.reclaim.start if rule.reclaim else None


def _protect(rule: Rule) -> Combination | None:
    return rule.protect.condition if rule.protect else None


def _metrics(combination: Combination | None) -> set[Metric]:
    return {condition.metric for condition in combination.conditions} if combination else set()
