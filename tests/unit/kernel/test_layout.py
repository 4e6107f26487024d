# SPDX-License-Identifier: GPL-2.0-or-later

import re
from enum import IntEnum, IntFlag
from pathlib import Path

import pytest

from reclaimd.config import combination
from reclaimd.kernel import layout
from reclaimd.policy import rule

HEADER = (Path(__file__).parents[3] / "bpf_src" / "reclaimd.h").read_text()
PREFIX = "RECLAIMD_"


def enum_of(tag: str, prefix: str) -> dict[str, int]:
    """The names, without what they all begin with, and the values of an enum of the header."""
    found = re.search(rf"^enum {tag} \{{(.*?)^\}};", HEADER, re.MULTILINE | re.DOTALL)
    assert found, f"there is no enum {tag}"
    members = re.findall(rf"^\s*{prefix}(\w+) = (\d+),", found[1], re.MULTILINE)
    return {name: int(value) for name, value in members}


def constant(name: str) -> int:
    found = re.search(rf"^#define {PREFIX}{name}\s+(\d+)$", HEADER, re.MULTILINE)
    assert found, f"{PREFIX}{name} is not defined"
    return int(found[1])


@pytest.mark.parametrize(
    ("tag", "prefix", "mirror"),
    [
        ("reclaimd_metric", PREFIX, layout.MetricCode),
        ("reclaimd_start_reason", PREFIX, layout.StartCode),
        ("reclaimd_stop_reason", PREFIX, layout.StopCode),
        ("reclaimd_rule_flags", PREFIX, layout.RuleFlag),
        ("reclaimd_protect_as", f"{PREFIX}PROTECT_", layout.ProtectCode),
        ("reclaimd_event_kind", f"{PREFIX}EVENT_", layout.EventKind),
    ],
)
def test_enums_are_those_of_the_header(tag: str, prefix: str, mirror: type[IntEnum | IntFlag]) -> None:
    assert enum_of(tag, prefix) == {name: int(member) for name, member in mirror.__members__.items()}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_CONDITIONS", layout.MAX_CONDITIONS),
        ("MAX_CONDITIONS", combination.MAX_CONDITIONS),
        ("MAX_GROUPS", layout.MAX_GROUPS),
        ("MAX_GROUPS", combination.MAX_GROUPS),
        ("MAX_THROTTLES", layout.MAX_THROTTLES),
        ("MAX_THROTTLES", rule.MAX_THROTTLES),
        ("MAX_METRICS", layout.MAX_METRICS),
        ("MAX_REASONS", layout.MAX_REASONS),
        ("TIME_BUCKETS", layout.TIME_BUCKETS),
    ],
)
def test_limits_are_those_of_the_header(name: str, value: int) -> None:
    assert value == constant(name)


@pytest.mark.parametrize("name", ["MAX_CONDITIONS", "MAX_METRICS", "MAX_REASONS"])
def test_what_is_used_as_a_mask_is_a_power_of_two(name: str) -> None:
    assert constant(name).bit_count() == 1


def test_every_metric_has_room_for_its_reading() -> None:
    assert max(layout.MetricCode) < layout.MAX_METRICS


def test_every_reason_has_room_for_its_count() -> None:
    assert max(layout.StopCode) < layout.MAX_REASONS


def test_reasons_that_are_no_metric_come_after_all_that_could_be() -> None:
    assert min(layout.StopCode) >= layout.MAX_METRICS
