# SPDX-License-Identifier: GPL-2.0-or-later

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclaimd.config.bad_value import BadValueError
from reclaimd.config.units import (
    Base,
    Percent,
    Size,
    parse_byte_rate,
    parse_rate,
    parse_share,
    parse_size,
    parse_threshold,
)

MIB = 1 << 20


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("5000/s", Fraction(5000)),
        ("5000 /s", Fraction(5000)),
        ("5000/ s", Fraction(5000)),
        ("5000 / s", Fraction(5000)),
        ("0.5/s", Fraction(1, 2)),
        ("1000000000/s", Fraction(1_000_000_000)),
    ],
)
def test_rates(text: str, rate: Fraction) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        (5000, "a number is not a rate", "5000/s"),
        (None, "empty is not a rate", "5000/s"),
        (True, "a boolean is not a rate", "5000/s"),
        (["1/s"], "a list is not a rate", "5000/s"),
        ({}, "a mapping is not a rate", "5000/s"),
        ("5000", "'5000' is not a rate", "5000/s"),
        ("5000/m", "'5000/m' is not a rate", "5000/s"),
        ("5000/sec", "'5000/sec' is not a rate", "5000/s"),
        ("5000  /s", "'5000  /s' is not a rate", "5000/s"),
        ("/s", "'/s' is not a rate", "5000/s"),
        ("-1/s", "'-1/s' is not a rate", "5000/s"),
        ("1e3/s", "'1e3/s' is not a rate", "5000/s"),
        (".5/s", "'.5/s' is not a rate", "5000/s"),
        ("5k/s", "'5k/s' is not a rate", "5000/s"),
        ("0/s", "0/s is out of range", "above 0 and up to 1000000000/s"),
        ("0.0/s", "0.0/s is out of range", "above 0 and up to 1000000000/s"),
        ("1000000001/s", "1000000001/s is out of range", "above 0 and up to 1000000000/s"),
    ],
)
def test_refused_rates_say_what_to_write(value: object, message: str, hint: str) -> None:
    with pytest.raises(BadValueError) as caught:
        parse_rate(value)
    assert caught.value.message == message
    assert hint in (caught.value.hint or "")


def test_a_rate_can_be_zero_where_that_means_something() -> None:
    assert parse_rate("0/s", zero=True) == 0


def test_a_rate_beyond_the_range_stays_so_where_zero_is_allowed() -> None:
    with pytest.raises(BadValueError, match="out of range"):
        parse_rate("1000000001/s", zero=True)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("200MiB/s", 200 * MIB), ("1 MiB / s", MIB), ("4096B/s", 4096), ("1.5GiB/s", 1536 * MIB)],
)
def test_byte_rates(text: str, size_bytes: int) -> None:
    assert parse_byte_rate(text) == Size(size_bytes)


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        ("200MiB", "'200MiB' is not a rate", "200MiB/s"),
        (200, "a number is not a rate", "200MiB/s"),
        (None, "empty is not a rate", "200MiB/s"),
        ("200/s", "200 has no unit", "1MiB"),
        ("200MB/s", "'MB' is not a unit here", "write 200MiB"),
        ("10%/s", "'%' is not a unit here", "the units are B, KiB"),
        ("0MiB/s", "0MiB is out of range", "above 0"),
    ],
)
def test_refused_byte_rates_say_what_to_write(value: object, message: str, hint: str) -> None:
    with pytest.raises(BadValueError) as caught:
        parse_byte_rate(value)
    assert caught.value.message == message
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "share"), [("10%", Fraction(10)), ("0.5 %", Fraction(1, 2)), ("100%", Fraction(100))]
)
def test_shares(text: str, share: Fraction) -> None:
    assert parse_share(text) == share


@pytest.mark.parametrize("text", ["0%", "0.0%", "0 %"])
def test_a_share_can_be_zero_where_that_means_something(text: str) -> None:
    assert parse_share(text, zero=True) == 0


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        ("0%", "0% is not a percentage above 0 and up to 100", ""),
        ("100.1%", "100.1% is not a percentage above 0 and up to 100", ""),
        (10, "10 has no unit", "10%"),
        ("24MiB", "24MiB is not a percentage", "write for example 24%"),
        ("10% of machine", "'10% of machine' is not a percentage", "10%"),
        (None, "must be a percentage, not empty", "10%"),
    ],
)
def test_refused_shares_say_what_to_write(value: object, message: str, hint: str) -> None:
    with pytest.raises(BadValueError) as caught:
        parse_share(value)
    assert caught.value.message == message
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "percent", "base"),
    [
        ("75%", 75, Base.MEMORY_MAX),
        ("75% of memory.max", 75, Base.MEMORY_MAX),
        ("75% of memory.high", 75, Base.MEMORY_HIGH),
        ("10% of machine", 10, Base.MACHINE),
        ("10 %  of  machine", 10, Base.MACHINE),
    ],
)
def test_percentages_are_of_something(text: str, percent: int, base: Base) -> None:
    assert parse_threshold(text) == Percent(Fraction(percent), base)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "75% of memory.low",
            "'memory.low' is nothing to take a percentage of",
            "a percentage is of memory.max, memory.high, machine",
        ),
        ("75% of ", "'' is nothing to take a percentage of", "memory.max, memory.high, machine"),
        ("75% of Machine", "'Machine' is nothing to take a percentage of", "machine"),
        ("24MiB of machine", "'24MiB of machine' is not a size or a percentage", "24MiB or 75%"),
        ("101% of machine", "101% is not a percentage above 0 and up to 100", ""),
        ("75%of machine", "'75%of machine' is not a size or a percentage", "24MiB or 75%"),
    ],
)
def test_refused_bases(text: str, message: str, hint: str) -> None:
    with pytest.raises(BadValueError) as caught:
        parse_threshold(text)
    assert caught.value.message == message
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("percent", "text"),
    [
        (Percent(Fraction(75)), "75%"),
        (Percent(Fraction(1, 2)), "0.5%"),
        (Percent(Fraction(75), Base.MEMORY_HIGH), "75% of memory.high"),
        (Percent(Fraction(10), Base.MACHINE), "10% of machine"),
    ],
)
def test_percentages_are_shown_as_they_are_written(percent: Percent, text: str) -> None:
    assert str(percent) == text


@given(st.integers(1, 100_000), st.sampled_from(Base))
def test_what_is_shown_of_a_percentage_reads_back(thousandths: int, base: Base) -> None:
    percent = Percent(Fraction(thousandths, 1000), base)
    assert parse_threshold(str(percent)) == percent


@given(
    st.one_of(
        st.text(),
        st.from_regex(r"[0-9.]{0,12} ?[a-zA-Z%]{0,4} ?/ ?s?", fullmatch=True),
        st.from_regex(r"[0-9.]{0,12} ?% +of +[a-z.]{0,12}", fullmatch=True),
        st.floats(),
        st.integers(),
        st.none(),
    )
)
def test_nothing_but_bad_value_is_raised(value: object) -> None:
    for parse in (parse_rate, parse_byte_rate, parse_share, parse_size, parse_threshold):
        with suppress(BadValueError):
            parse(value)
