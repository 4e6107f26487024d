# SPDX-License-Identifier: GPL-2.0-or-later
"""What ends an episode when the policy does not say, or says less than what it starts for.

A condition of start has a counterpart that holds once it has calmed down: usage at nine tenths, events
at none in the window, everything else at half.
"""

from dataclasses import replace
from fractions import Fraction

from reclaimd.config.combination import Combination, Condition, require_room
from reclaimd.config.metric import Metric
from reclaimd.config.units import Duration, Percent, Size, Threshold

_USAGE_SHARE = Fraction(9, 10)
_SHARE = Fraction(1, 2)
_EVENTS = {Metric.EVENTS_HIGH, Metric.EVENTS_MAX, Metric.EVENTS_OOM}
#: What an episode measures of itself: such a stop is meant to end it, whatever else.
_OWN = {Metric.RECLAIMED, Metric.AFTER}


def default_stop(start: Combination) -> Combination:
    """Return what ends an episode that may start for this.

    What starts for any of its conditions stops when all have calmed down, and the other way round.
    """
    groups = tuple(tuple(map(_counterpart, group)) for group in start.groups)
    return Combination(groups, not start.any_of_all)


def with_missing(stop: Combination, start: Combination) -> Combination:
    """Return a stop with the counterparts of what start looks at and stop does not mention.

    An episode that began because of pressure does not end just because usage is low. A way of ending
    that is about the episode alone (reclaimed, after) is left as it is.

    Raises:
        BadValueError: there is no room for them.
    """
    named = {condition.metric for condition in stop.conditions}
    if not named - _OWN:
        return stop
    missing = tuple(_counterpart(c) for c in start.conditions if c.metric not in named)
    if not missing:
        return stop
    any_of_all = stop.any_of_all
    groups = stop.groups
    if len(groups) == 1 and not any_of_all:
        # One group of any is as many groups of one.
        groups, any_of_all = tuple((condition,) for condition in groups[0]), True
    if any_of_all:
        joined = tuple(group if _is_own(group) else (*group, *missing) for group in groups)
    else:
        joined = (*groups, *((condition,) for condition in missing))
    return require_room(Combination(joined, any_of_all), ("stop",))


def _is_own(group: tuple[Condition, ...]) -> bool:
    return all(condition.metric in _OWN for condition in group)


def _counterpart(start: Condition) -> Condition:
    if start.metric in _EVENTS:
        return replace(start, bound=Fraction(0), given=False)
    share = _USAGE_SHARE if start.metric is Metric.USAGE else _SHARE
    return replace(start, bound=_reduced(start.bound, share), given=False)


def _reduced(bound: Threshold | Duration | Fraction, share: Fraction) -> Threshold | Duration | Fraction:
    match bound:
        case Size(size_bytes):
            return Size(int(size_bytes * share))
        case Percent(percent, base):
            return Percent(percent * share, base)
        case Fraction():
            return bound * share
        case _:
            return bound
