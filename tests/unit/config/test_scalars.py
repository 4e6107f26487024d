# SPDX-License-Identifier: GPL-2.0-or-later

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclaimd.config.scalars import Scalar, resolve_plain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("0", 0),
        ("-12", -12),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1.5", 1.5),
        ("2e3", 2000.0),
        ("-.inf", -math.inf),
    ],
)
def test_core_schema_values(text: str, value: Scalar) -> None:
    assert resolve_plain(text) == value
    assert type(resolve_plain(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    ["yes", "no", "on", "off", "y", "N", "1:30", "1_000", "0b11", "nUll", "tRue", "24MiB", "0o8", "=", "<<"],
)
def test_what_only_yaml_1_1_knew_is_text(text: str) -> None:
    assert resolve_plain(text) == text


def test_not_a_number() -> None:
    value = resolve_plain(".nan")
    assert isinstance(value, float)
    assert math.isnan(value)


def test_digits_beyond_any_use_are_text() -> None:
    assert resolve_plain("9" * 5000) == "9" * 5000


@given(st.integers(min_value=-(10**30), max_value=10**30))
def test_integers_are_themselves(number: int) -> None:
    assert resolve_plain(str(number)) == number
