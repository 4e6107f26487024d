# SPDX-License-Identifier: GPL-2.0-or-later

import re
from pathlib import Path

import pytest

from reclaimd.config import Config, load_config, parse_config
from reclaimd.config.models import usage_start
from reclaimd.config.units import Size

SHIPPED = Path(__file__).parents[3] / "config"
DEFAULT = SHIPPED / "reclaimd.yaml"
EXAMPLES = sorted((SHIPPED / "examples").glob("*.yaml"))


def test_the_default_governs_nothing() -> None:
    assert load_config(DEFAULT).config.policies == ()


def test_the_default_shows_the_values_that_hold_without_it() -> None:
    assert load_config(DEFAULT).config == Config(policies=())


def test_the_policy_that_the_default_explains_is_valid_once_uncommented() -> None:
    lines = DEFAULT.read_text().splitlines()
    start = lines.index("policies: []")
    body = [line.removeprefix("# ") for line in lines[start + 1 :] if re.match("#  ", line)]
    (policy,) = parse_config("\n".join(["policies:", *body]).encode(), "f.yaml").config.policies
    assert policy.name == "batch"
    assert policy.back_pressure is not None


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_valid_and_govern_something(path: Path) -> None:
    assert load_config(path).config.policies


def test_the_demo_keeps_below_its_32_mib() -> None:
    (policy,) = load_config(SHIPPED / "examples" / "demo.yaml").config.policies
    start = usage_start(policy.reclaim)
    assert isinstance(start, Size)
    assert start.size_bytes < 32 << 20
    assert policy.back_pressure is not None
    assert isinstance(policy.back_pressure.start, Size)
    assert policy.back_pressure.start.size_bytes < 32 << 20
