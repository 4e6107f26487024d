# SPDX-License-Identifier: GPL-2.0-or-later

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclaimd.config.bad_value import BadValueError
from reclaimd.config.units import Duration, Percent, Size, format_bytes, parse_duration, parse_threshold

MIB = 1 << 20


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("4096B", 4096),
        ("64KiB", 65536),
        ("24MiB", 24 * MIB),
        ("24 MiB", 24 * MIB),
        ("1.5GiB", 1536 * MIB),
        ("0.5KiB", 512),
        ("2TiB", 2 << 40),
    ],
)
def test_sizes(text: str, size_bytes: int) -> None:
    assert parse_threshold(text) == Size(size_bytes)


@pytest.mark.parametrize(
    ("text", "percent"),
    [("75%", Fraction(75)), ("0.5%", Fraction(1, 2)), ("100%", Fraction(100)), ("7 %", Fraction(7))],
)
def test_percentages(text: str, percent: Fraction) -> None:
    assert parse_threshold(text) == Percent(percent)


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        (24, "24 has no unit", "24MiB or 75%"),
        (0.5, "0.5 has no unit", "24MiB or 75%"),
        ("24", "24 has no unit", "24MiB or 75%"),
        ("24MB", "'MB' is not a unit here", "write 24MiB (1MiB is 1048576 bytes)"),
        ("24M", "'M' is not a unit here", "write 24MiB (1MiB is 1048576 bytes)"),
        ("24mib", "'mib' is not a unit here", "write 24MiB (1MiB is 1048576 bytes)"),
        ("4096bytes", "'bytes' is not a unit here", "write 4096B"),
        ("24pages", "'pages' is not a unit here", "the units are B, KiB, MiB, GiB, TiB"),
        ("1.3KiB", "1.3KiB is not a whole number of bytes", "write 1331B"),
        ("0MiB", "0MiB is out of range", "above 0"),
        ("8388608TiB", "8388608TiB is out of range", "below 8388608TiB"),
        ("0%", "0% is not a percentage above 0 and up to 100", None),
        ("101%", "101% is not a percentage above 0 and up to 100", None),
        ("-5MiB", "'-5MiB' is not a size or a percentage", "24MiB or 75%"),
        ("a lot", "'a lot' is not a size or a percentage", "24MiB or 75%"),
        ("", "'' is not a size or a percentage", "24MiB or 75%"),
        (None, "must be a size or a percentage, not empty", "24MiB or 75%"),
        (True, "must be a size or a percentage, not a boolean", "24MiB or 75%"),
        (["24MiB"], "must be a size or a percentage, not a list", "24MiB or 75%"),
        ({}, "must be a size or a percentage, not a mapping", "24MiB or 75%"),
    ],
)
def test_refused_thresholds_say_what_to_write(value: object, message: str, hint: str | None) -> None:
    with pytest.raises(BadValueError) as caught:
        parse_threshold(value)
    assert caught.value.message == message
    assert (hint is None) == (caught.value.hint is None)
    assert (hint or "") in (caught.value.hint or "")


@pytest.mark.parametrize(("text", "delay_ms"), [("100ms", 100), ("1s", 1000), ("1.5s", 1500), ("0.001s", 1)])
def test_durations(text: str, delay_ms: int) -> None:
    assert parse_duration(text) == Duration(delay_ms)


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        (100, "100 has no unit", "100ms or 1s"),
        ("0.5ms", "0.5ms is not a whole number of milliseconds above 0", "1ms or more"),
        ("0ms", "0ms is not a whole number of milliseconds above 0", "1ms or more"),
        ("5seconds", "'seconds' is not a unit here", "write 5s"),
        ("5min", "'min' is not a unit here", "the units are ms, s"),
        ("5%", "'%' is not a unit here", "the units are ms, s"),
        ("soon", "'soon' is not a duration", "100ms or 1s"),
    ],
)
def test_refused_durations_say_what_to_write(value: object, message: str, hint: str) -> None:
    with pytest.raises(BadValueError) as caught:
        parse_duration(value)
    assert caught.value.message == message
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0B"),
        (1, "1B"),
        (1023, "1023B"),
        (1536, "1.5KiB"),
        (24 * MIB, "24MiB"),
        (24 * MIB + 4096, "24580KiB"),
        (100 << 30, "100GiB"),
    ],
)
def test_sizes_are_shown_exactly(size_bytes: int, text: str) -> None:
    assert format_bytes(size_bytes) == text


@given(st.integers(min_value=1, max_value=(1 << 63) - 1))
def test_what_is_shown_reads_back_as_the_same_size(size_bytes: int) -> None:
    assert parse_threshold(format_bytes(size_bytes)) == Size(size_bytes)
    assert parse_threshold(str(Size(size_bytes))) == Size(size_bytes)


@given(st.integers(min_value=1, max_value=100_000))
def test_percentages_read_back_too(thousandths: int) -> None:
    percent = parse_threshold(f"{thousandths / 1000}%")
    assert parse_threshold(str(percent)) == percent


@given(
    st.one_of(
        st.text(), st.from_regex(r"[0-9.]{0,30} ?[a-zA-Z%]{0,4}", fullmatch=True), st.floats(), st.integers()
    )
)
def test_nothing_but_bad_value_is_raised(value: object) -> None:
    for parse in (parse_threshold, parse_duration):
        with suppress(BadValueError):
            parse(value)
