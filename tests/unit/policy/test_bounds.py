# SPDX-License-Identifier: GPL-2.0-or-later

import pytest

from reclaimd.cgroup.facts import Memory
from reclaimd.cgroup.machine import Machine
from reclaimd.config.combination import parse_start, parse_stop
from reclaimd.config.metric import Metric
from reclaimd.config.units import parse_threshold
from reclaimd.policy.bounds import Bounds
from reclaimd.policy.remark import CannotResolveError, Remark
from reclaimd.policy.rule import Combination, Condition

MIB = 1 << 20
PAGE = 4096
MS = 1_000_000
AT = ("reclaim", "start")


def bounds(
    *,
    max_bytes: int | None = 40 * MIB,
    high_bytes: int | None = 20 * MIB,
    swap_bytes: int = 512 * MIB,
    page_bytes: int = PAGE,
) -> Bounds:
    memory = Memory(current_bytes=0, max_bytes=max_bytes, high_bytes=high_bytes)
    return Bounds(memory, Machine(memory_bytes=2048 * MIB, swap_bytes=swap_bytes), page_bytes)


def started(value: object) -> Condition:
    (condition,) = bounds().combination(parse_start(value), AT).conditions
    return condition


def stopped(value: object) -> Condition:
    (condition,) = bounds().combination(parse_stop(value), ("reclaim", "stop"), is_stop=True).conditions
    return condition


def refused(value: object, by: Bounds) -> Remark:
    with pytest.raises(CannotResolveError) as caught:
        by.combination(parse_start(value), AT)
    return caught.value.remark


@pytest.mark.parametrize(
    ("text", "pages"),
    [
        ("24MiB", 24 * MIB // PAGE),
        ("8191B", 1),
        ("50%", 20 * MIB // PAGE),
        ("50% of memory.max", 20 * MIB // PAGE),
        ("50% of memory.high", 10 * MIB // PAGE),
        ("50% of machine", 1024 * MIB // PAGE),
        ("33.3%", 3409),
    ],
)
def test_thresholds_in_pages(text: str, pages: int) -> None:
    assert bounds().pages(parse_threshold(text), AT) == pages


def test_pages_are_those_of_the_machine() -> None:
    assert bounds(page_bytes=65536).pages(parse_threshold("24MiB"), AT) == 384


def test_pages_are_shown_as_sizes() -> None:
    assert bounds().shown(24 * MIB // PAGE) == "24MiB"


@pytest.mark.parametrize("text", ["4095B", "0.001%"])
def test_less_than_a_page_is_refused(text: str) -> None:
    with pytest.raises(CannotResolveError) as caught:
        bounds().pages(parse_threshold(text), AT)
    assert caught.value.remark.text == f"start is {text}, which is less than one page of 4KiB"


@pytest.mark.parametrize(
    ("text", "base", "by"),
    [
        ("50%", "memory.max", bounds(max_bytes=None)),
        ("50% of memory.high", "memory.high", bounds(high_bytes=None)),
    ],
)
def test_percentages_need_what_they_are_of(text: str, base: str, by: Bounds) -> None:
    assert refused(text, by) == Remark(
        AT,
        f"start is 50% of {base}, but the cgroup has no {base}",
        f"set its {base}, or write start as a size such as 24MiB",
    )


def test_percentages_of_the_machine_need_no_limit() -> None:
    by = bounds(max_bytes=None, high_bytes=None)
    assert by.pages(parse_threshold("50% of machine"), AT) == 1024 * MIB // PAGE


@pytest.mark.parametrize(
    ("value", "metric", "bound", "window_ms"),
    [
        ("24MiB", Metric.USAGE, 24 * MIB // PAGE, 0),
        ({"psi": {"some": "10%"}}, Metric.PSI_SOME, 200 * MS, 2000),
        ({"psi": {"full": "100%", "window": "500ms"}}, Metric.PSI_FULL, 500 * MS, 500),
        ({"pgfaults": "5000/s"}, Metric.PGFAULTS, 5000, 1000),
        ({"refaults": "0.5/s"}, Metric.REFAULTS, 1, 1000),
        ({"refaults": {"anon": "1.5/s"}}, Metric.REFAULTS_ANON, 2, 1000),
        ({"refaults": {"file": "7/s"}}, Metric.REFAULTS_FILE, 7, 1000),
        ({"events": {"high": 3, "window": "5s"}}, Metric.EVENTS_HIGH, 3, 5000),
        ({"events": {"oom": 1}}, Metric.EVENTS_OOM, 1, 1000),
        ({"swap_free": "64MiB"}, Metric.SWAP_FREE, 64 * MIB // PAGE, 0),
        ({"swap_free": "50%"}, Metric.SWAP_FREE, 256 * MIB // PAGE, 0),
    ],
)
def test_conditions_in_numbers(value: object, metric: Metric, bound: int, window_ms: int) -> None:
    assert started(value) == Condition(metric, bound, window_ms)


@pytest.mark.parametrize(
    ("value", "metric", "bound"),
    [
        ({"reclaimed": "64MiB"}, Metric.RECLAIMED, 64 * MIB // PAGE),
        ({"after": "1.5s"}, Metric.AFTER, 1500 * MS),
    ],
)
def test_conditions_on_the_episode_in_numbers(value: object, metric: Metric, bound: int) -> None:
    assert stopped(value) == Condition(metric, bound)


@pytest.mark.parametrize(
    "value",
    [
        {"psi": {"some": "0%"}},
        {"pgfaults": "0/s"},
        {"refaults": {"anon": "0/s"}},
        {"events": {"max": 0}},
    ],
)
def test_stop_may_be_at_nothing_at_all(value: object) -> None:
    assert stopped(value).bound == 0


@pytest.mark.parametrize("value", [{"psi": {"some": "0.000000001%"}}, {"pgfaults": "0.000000001/s"}])
def test_start_is_at_something_however_small(value: object) -> None:
    assert started(value).bound >= 1


def test_a_share_of_swap_needs_swap() -> None:
    remark = refused({"any": ["24MiB", {"swap_free": "50%"}]}, bounds(swap_bytes=0))
    assert remark.at == (*AT, "any", 1, "swap_free")
    assert remark.text == "swap_free is 50% of the machine's swap, but it has none"
    assert remark.hint == "add swap, or leave the condition out"


def test_an_amount_of_swap_needs_none() -> None:
    by = bounds(swap_bytes=0)
    (condition,) = by.combination(parse_start({"swap_free": "4MiB"}), AT).conditions
    assert condition.bound == 4 * MIB // PAGE


def test_a_mistake_is_found_by_its_place_in_the_combination() -> None:
    remark = refused({"any": ["24MiB", {"all": [{"usage": "50%"}, "1MiB"]}]}, bounds(max_bytes=None))
    assert remark.at == (*AT, "any", 1, "all", 0, "usage")


@pytest.mark.parametrize(("outer", "inner", "any_of_all"), [("any", "all", True), ("all", "any", False)])
def test_groups_stay_as_they_are(outer: str, inner: str, any_of_all: bool) -> None:  # noqa: FBT001  a parameter of the test
    resolved = bounds().combination(parse_start({outer: ["1MiB", {inner: ["2MiB", "3MiB"]}]}), AT)
    one, two, three = (Condition(Metric.USAGE, mib * MIB // PAGE) for mib in (1, 2, 3))
    assert resolved == Combination(((one,), (two, three)), any_of_all)
