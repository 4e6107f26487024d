# SPDX-License-Identifier: GPL-2.0-or-later

import json
from dataclasses import asdict, replace

import pytest

from tests.bench.service_report import MIB, Point, point_from_line, report_json, verdict

SMALL = Point(100, 40 * MIB, 0.0, 2.0, 0.1)
MIDDLE = Point(1000, 50 * MIB, 0.1, 4.0, 0.5)
LARGE = Point(2000, 60 * MIB, 0.2, 7.0, 1.0)


def changed(point: Point, name: str, value: float) -> Point:
    return point_from_line(json.dumps({**asdict(point), name: value}))


def missed(*points: Point) -> list[str]:
    return [text.split()[0] for met, text in verdict(points) if not met]


def test_a_point_comes_back_from_its_line() -> None:
    assert point_from_line(MIDDLE.to_line()) == MIDDLE


def test_the_report_holds_the_points() -> None:
    assert json.loads(report_json([SMALL]))["points"] == [
        {"cgroups": 100, "rss_bytes": 40 * MIB, "idle_cpu_percent": 0.0, "ready_s": 2.0, "scrape_s": 0.1}
    ]


def test_marks_can_be_met() -> None:
    assert missed(SMALL, MIDDLE, LARGE) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("rss_bytes", 64 * MIB + 1), ("idle_cpu_percent", 0.51), ("ready_s", 10.1), ("scrape_s", 1.1)],
)
def test_each_mark_can_be_missed(name: str, value: float) -> None:
    assert name in missed(SMALL, changed(MIDDLE, name, value), LARGE)


@pytest.mark.parametrize(
    ("name", "value"),
    [("rss_bytes", 111 * MIB), ("idle_cpu_percent", 0.23), ("ready_s", 8.9), ("scrape_s", 1.11)],
)
def test_growth_beyond_the_mark_is_a_miss(name: str, value: float) -> None:
    assert missed(SMALL, MIDDLE, changed(LARGE, name, value)) == [name]


def test_a_cpu_time_that_is_next_to_nothing_does_not_grow() -> None:
    assert missed(SMALL, replace(MIDDLE, idle_cpu_percent=0.001), replace(LARGE, idle_cpu_percent=0.01)) == []
