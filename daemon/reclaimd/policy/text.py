# SPDX-License-Identifier: GPL-2.0-or-later
"""Resolved conditions in words."""

from reclaimd.config.metric import PSI, Metric
from reclaimd.config.units import format_bytes
from reclaimd.policy.rule import Combination, Condition

NS_PER_MS = 1_000_000
MS_PER_S = 1000
_PAGES = {Metric.USAGE, Metric.SWAP_FREE, Metric.RECLAIMED}


def combination_text(combination: Combination, page_bytes: int) -> str:
    """Return for example "any(usage 24MiB, psi_some 10%/2s)"."""
    inner, outer = ("all", "any") if combination.any_of_all else ("any", "all")
    groups = [
        _joined(inner, [condition_text(condition, page_bytes) for condition in group])
        for group in combination.groups
    ]
    return _joined(outer, groups)


def condition_text(condition: Condition, page_bytes: int) -> str:
    """Return for example "usage 24MiB", "psi_some 10%/2s" or "pgfaults 5000/s"."""
    return f"{condition.metric} {bound_text(condition, page_bytes)}"


def bound_text(condition: Condition, page_bytes: int) -> str:
    """Return a condition's bound with its unit."""
    metric, bound, window_ms = condition.metric, condition.bound, condition.window_ms
    if metric in _PAGES:
        return format_bytes(bound * page_bytes)
    if metric is Metric.AFTER:
        return duration_text(bound // NS_PER_MS)
    if metric in PSI:
        return f"{100 * bound / (window_ms * NS_PER_MS):g}%/{duration_text(window_ms)}"
    return f"{bound}/{'s' if window_ms == MS_PER_S else duration_text(window_ms)}"


def duration_text(duration_ms: int) -> str:
    """Return for example "1.5s" or "100ms"."""
    return f"{duration_ms / MS_PER_S:g}s" if duration_ms >= MS_PER_S else f"{duration_ms}ms"


def _joined(word: str, texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{word}({', '.join(texts)})"
