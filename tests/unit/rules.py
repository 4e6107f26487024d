# SPDX-License-Identifier: GPL-2.0-or-later
"""Parts of rules, as tests write them."""

from reclaimd.config.metric import Metric
from reclaimd.policy.rule import Combination, Condition, Rule


def at_usage(pages: int) -> Combination:
    """One condition on usage."""
    return Combination(((Condition(Metric.USAGE, pages),),), any_of_all=True)


def start_pages(rule: Rule) -> int | None:
    """The lowest usage that a rule's reclaim starts at."""
    return rule.reclaim.start.lowest_usage_pages if rule.reclaim else None


def stop_pages(rule: Rule) -> int | None:
    """The lowest usage that a rule's reclaim stops at."""
    return rule.reclaim.stop.lowest_usage_pages if rule.reclaim else None
