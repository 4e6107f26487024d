# SPDX-License-Identifier: GPL-2.0-or-later
from dataclasses import asdict
from typing import Any

from reclaimd.bench.scale_report import Point, scale_mark


def rows(with_many: float) -> list[dict[str, Any]]:
    points = [Point(size, cost, 0.1, 1 << 20, [cost, cost]) for size, cost in ((1, 100.0), (1000, with_many))]
    return [asdict(point) for point in points]


def test_a_charge_may_cost_a_tenth_more_with_a_thousand_cgroups() -> None:
    assert scale_mark(rows(110.0)).reached is True
    assert scale_mark(rows(111.0)).reached is False


def test_the_figure_is_the_ratio_of_the_turns() -> None:
    assert scale_mark(rows(104.0)).figures == "1.04 (1.04-1.04)"


def test_without_both_sizes_nothing_is_judged() -> None:
    assert scale_mark(rows(100.0)[:1]).reached is None
    assert scale_mark([]).reached is None
