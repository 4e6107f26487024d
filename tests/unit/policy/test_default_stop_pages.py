# SPDX-License-Identifier: GPL-2.0-or-later

from typing import Any

import pytest

from reclaimd.cgroup.facts import CgroupFacts, Memory
from reclaimd.cgroup.machine import Machine
from reclaimd.config.models import Policy
from reclaimd.policy.remark import CannotResolveError
from reclaimd.policy.rule_maker import RuleMaker
from reclaimd.policy.text import combination_text

MIB = 1 << 20
PAGE = 4096


@pytest.mark.parametrize(
    ("start", "stop"),
    [
        ("75%", "usage 67.5MiB"),
        ("8KiB", "usage 4KiB"),
        (
            {"any": ["80%", {"all": ["50%", {"psi": {"some": "10%"}}]}]},
            "all(usage 72MiB, any(usage 45MiB, psi_some 5%/2s))",
        ),
    ],
)
def test_each_usage_has_its_own_hysteresis(start: Any, stop: str) -> None:  # noqa: ANN401  whatever a file can hold
    policy = Policy.model_validate({"name": "batch", "match": "/a", "reclaim": {"start": start}})
    facts = CgroupFacts(7, "/a", Memory(current_bytes=0, max_bytes=100 * MIB, high_bytes=None))
    rule, _ = RuleMaker(PAGE, Machine(2048 * MIB, 0)).rule(policy, facts, [])
    assert rule.reclaim
    assert combination_text(rule.reclaim.stop, PAGE) == stop


@pytest.mark.parametrize("start", [{"pgfaults": "1/s"}, {"psi": {"some": "0.000000001%"}}])
def test_a_stop_is_below_its_start_however_little_that_is(start: dict[str, Any]) -> None:
    policy = Policy.model_validate({"name": "batch", "match": "/a", "reclaim": {"start": start}})
    facts = CgroupFacts(7, "/a", Memory(current_bytes=0, max_bytes=None, high_bytes=None))
    rule, _ = RuleMaker(PAGE, Machine(2048 * MIB, 0)).rule(policy, facts, [])
    assert rule.reclaim
    assert rule.reclaim.stop.conditions[0].bound < rule.reclaim.start.conditions[0].bound


def test_no_stop_may_be_above_the_only_start() -> None:
    reclaim = {"start": "20MiB", "stop": {"any": ["10MiB", "75%"]}}
    policy = Policy.model_validate({"name": "batch", "match": "/a", "reclaim": reclaim})
    facts = CgroupFacts(7, "/a", Memory(current_bytes=0, max_bytes=40 * MIB, high_bytes=None))
    with pytest.raises(CannotResolveError, match="stop is 30MiB and start 20MiB"):
        RuleMaker(PAGE, Machine(2048 * MIB, 0)).rule(policy, facts, [])
