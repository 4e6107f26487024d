# SPDX-License-Identifier: GPL-2.0-or-later
"""Parts of rules, as tests write them."""

from reclaimd.config.metric import Metric
from reclaimd.policy.rule import Combination, Condition, Rule


def all_of(*conditions: Condition) -> Combination:
    """All at once."""
    return Combination((conditions,), any_of_all=True)


def any_of(*conditions: Condition) -> Combination:
    """One of them."""
    return Combination((conditions,), any_of_all=False)


def usage(pages: int) -> Condition:
    """The cgroup's usage."""
    return Condition(Metric.USAGE, pages)


def at_usage(pages: int) -> Combination:
    """One condition on usage."""
    return all_of(usage(pages))


def start_pages(rule: Rule) -> int | None:
    """The lowest usage that a rule's reclaim starts at."""
    return rule.reclaim.start.lowest_usage_pages if rule.reclaim else None


def stop_pages(rule: Rule) -> int | None:
    """The lowest usage that a rule's reclaim stops at."""
    return rule.reclaim.stop.lowest_usage_pages if rule.reclaim else None
