# SPDX-License-Identifier: GPL-2.0-or-later

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reclaimd.cgroup.facts import CgroupFacts, Memory
from reclaimd.cgroup.machine import Machine
from reclaimd.config.models import Policy
from reclaimd.policy.remark import CannotResolveError, Remark
from reclaimd.policy.rule import BackPressure, Reclaim, Rule
from reclaimd.policy.rule_maker import Limit, RuleMaker
from tests.unit.rules import at_usage, start_pages, stop_pages

MIB = 1 << 20
PAGE = 4096
PAGES_PER_MIB = MIB // PAGE
MACHINE = Machine(memory_bytes=2048 * MIB, swap_bytes=512 * MIB)


def policy(start: str, stop: str, **more: Any) -> Policy:  # noqa: ANN401  whatever a file can hold
    reclaim = {"start": start, "stop": stop}
    return Policy.model_validate({"name": "batch", "match": "/a", "reclaim": reclaim, **more})


def facts(max_bytes: int | None) -> CgroupFacts:
    return CgroupFacts(7, "/a", Memory(current_bytes=0, max_bytes=max_bytes, high_bytes=None))


def made(policy: Policy, max_bytes: int | None, *limits_above: Limit) -> tuple[Rule, list[Remark]]:
    return RuleMaker(PAGE, MACHINE).rule(policy, facts(max_bytes), limits_above)


def refused(policy: Policy, of: CgroupFacts) -> Remark:
    with pytest.raises(CannotResolveError) as caught:
        RuleMaker(PAGE, MACHINE).rule(policy, of, [])
    return caught.value.remark


def test_sizes_become_pages() -> None:
    rule, remarks = made(policy("24MiB", "22MiB"), 32 * MIB)
    assert rule == Rule(
        cgroup_id=7,
        path="/a",
        policy="batch",
        reclaim=Reclaim(at_usage(24 * PAGES_PER_MIB), at_usage(22 * PAGES_PER_MIB)),
        limit_pages=32 * PAGES_PER_MIB,
    )
    assert remarks == []


def test_percentages_are_of_memory_max() -> None:
    rule, _ = made(policy("75%", "50%"), 32 * MIB)
    assert (start_pages(rule), stop_pages(rule)) == (24 * PAGES_PER_MIB, 16 * PAGES_PER_MIB)


def test_pages_have_the_size_of_the_machine() -> None:
    rule, _ = RuleMaker(64 * 1024, MACHINE).rule(policy("24MiB", "50%"), facts(32 * MIB), [])
    assert (start_pages(rule), stop_pages(rule), rule.limit_pages) == (384, 256, 512)


def test_thresholds_are_rounded_down_to_pages() -> None:
    rule, _ = made(policy("33.3%", "4097B"), 10 * PAGE)
    assert (start_pages(rule), stop_pages(rule)) == (3, 1)


def test_sizes_need_no_limit() -> None:
    rule, remarks = made(policy("24MiB", "22MiB"), None)
    assert rule.limit_pages is None
    assert remarks == []


@pytest.mark.parametrize(("start", "stop", "key"), [("75%", "70%", "start"), ("24MiB", "70%", "stop")])
def test_percentages_need_a_limit(start: str, stop: str, key: str) -> None:
    remark = refused(policy(start, stop), facts(None))
    assert remark.at == ("reclaim", key)
    assert "of memory.max, but the cgroup has no memory.max" in remark.text
    assert remark.hint == f"set its memory.max, or write {key} as a size such as 24MiB"


def test_the_memory_controller_must_be_enabled() -> None:
    remark = refused(policy("24MiB", "22MiB"), CgroupFacts(7, "/a/b", None))
    assert remark.text == "the memory controller is not enabled for it"
    assert remark.hint == "write +memory to cgroup.subtree_control of /a"


def test_the_memory_controller_can_be_missing_at_the_top() -> None:
    remark = refused(policy("24MiB", "22MiB"), CgroupFacts(7, "/a", None))
    assert remark.hint == "write +memory to cgroup.subtree_control of the root cgroup"


@pytest.mark.parametrize(("start", "stop"), [("8193B", "8192B"), ("50%", "5MiB"), ("5MiB", "50%")])
def test_stop_must_be_a_page_below_start(start: str, stop: str) -> None:
    remark = refused(policy(start, stop), facts(10 * MIB))
    assert remark.at == ("reclaim", "stop")
    assert "stop must be at least one page below start" in remark.hint


def test_less_than_a_page_is_nothing_to_go_by() -> None:
    remark = refused(policy("5%", "1%"), facts(4 * PAGE))
    assert remark.text == "start is 5%, which is less than one page of 4KiB"


def test_a_start_that_is_not_below_the_limit_is_remarked_on() -> None:
    rule, (remark,) = made(policy("48MiB", "22MiB"), 32 * MIB)
    assert start_pages(rule) == 48 * PAGES_PER_MIB
    assert remark.text == "reclaim cannot start before the limit is hit: start is 48MiB and memory.max 32MiB"


def test_a_limit_further_up_counts_too() -> None:
    _, (remark,) = made(policy("75%", "70%"), 32 * MIB, Limit("/above", 16 * MIB))
    assert remark.text == (
        "reclaim cannot start before the limit is hit: start is 24MiB and memory.max of /above 16MiB"
    )


def test_a_higher_limit_further_up_does_not_matter() -> None:
    assert made(policy("75%", "70%"), 32 * MIB, Limit("/above", 64 * MIB))[1] == []


PRESSURE = {"back_pressure": {"start": "28MiB", "max_delay": "100ms"}}


def test_delays_grow_up_to_the_limit() -> None:
    rule, remarks = made(policy("24MiB", "22MiB", **PRESSURE), 32 * MIB)
    assert rule.back_pressure == BackPressure(
        start_pages=28 * PAGES_PER_MIB, full_pages=32 * PAGES_PER_MIB, max_delay_ms=100
    )
    assert remarks == []


def test_delays_need_a_limit() -> None:
    remark = refused(policy("24MiB", "22MiB", **PRESSURE), facts(None))
    assert remark == Remark(
        ("back_pressure",),
        "the delay grows up to memory.max, but the cgroup has no memory.max",
        "set its memory.max, or remove back_pressure",
    )


def test_delays_do_not_start_before_reclaim() -> None:
    remark = refused(policy("90%", "50%", **PRESSURE), facts(32 * MIB))
    assert remark.at == ("back_pressure", "start")
    assert remark.text == "delays would start at 28MiB, reclaim at 29488KiB"


@pytest.mark.parametrize("max_mib", [26, 28])
def test_delays_that_never_come_are_remarked_on_and_left_out(max_mib: int) -> None:
    rule, (remark,) = made(policy("24MiB", "22MiB", **PRESSURE), max_mib * MIB)
    assert rule.back_pressure is None
    assert remark.text.startswith("no charge is ever delayed")


THRESHOLDS = st.one_of(
    st.integers(1, 1 << 40).map(lambda size_bytes: f"{size_bytes}B"),
    st.integers(1, 99).map(lambda percent: f"{percent}%"),
)


@given(THRESHOLDS, THRESHOLDS, THRESHOLDS, st.one_of(st.none(), st.integers(0, 1 << 40)))
def test_every_rule_keeps_what_rules_promise(
    start_text: str, stop_text: str, pressure: str, max_bytes: int | None
) -> None:
    try:
        valid = policy(start_text, stop_text, back_pressure={"start": pressure, "max_delay": "1ms"})
    except ValueError:
        assume(False)  # noqa: FBT003  hypothesis' way to pass on an example
    try:
        rule, _ = made(valid, max_bytes)
    except CannotResolveError:
        return
    start, stop = start_pages(rule), stop_pages(rule)
    assert start is not None
    assert stop is not None
    assert 0 < stop < start
    if rule.back_pressure:
        assert rule.limit_pages is not None
        assert start <= rule.back_pressure.start_pages < rule.back_pressure.full_pages
        assert rule.back_pressure.full_pages == rule.limit_pages


@pytest.mark.parametrize("key", ["start", "high_async"])
def test_a_start_of_one_page_is_refused_for_what_is_wrong_with_it(key: str) -> None:
    one_page = Policy.model_validate({"name": "batch", "match": "/a", "reclaim": {key: "4KiB"}})
    remark = refused(one_page, facts(32 * MIB))
    assert remark.at == ("reclaim", key)
    assert remark.text == f"{key} is 4KiB in whole pages, below which there is no usage to stop at"
    assert remark.hint == "raise it to at least two pages"


def test_a_start_of_one_page_may_stop_for_something_else_than_usage() -> None:
    reclaim = {"start": "4KiB", "stop": {"after": "1s"}}
    rule, _ = made(Policy.model_validate({"name": "batch", "match": "/a", "reclaim": reclaim}), None)
    assert start_pages(rule) == 1


def test_a_start_of_two_pages_stops_at_one() -> None:
    two_pages = Policy.model_validate({"name": "batch", "match": "/a", "reclaim": {"start": "8KiB"}})
    rule, _ = made(two_pages, None)
    assert (start_pages(rule), stop_pages(rule)) == (2, 1)


def test_a_stop_as_high_as_a_start_of_one_page_is_answered_with_the_start() -> None:
    remark = refused(policy("1.5%", "1%"), facts(100 * PAGE))
    assert remark.hint.startswith("raise start to at least two pages")
