# SPDX-License-Identifier: GPL-2.0-or-later

import pytest

from reclaimd.config.bad_value import BadValueError
from reclaimd.config.combination import parse_start, parse_stop
from reclaimd.config.units import parse_duration

#: More digits than Python turns into text or back (sys.set_int_max_str_digits).
DIGITS = 4301


@pytest.mark.parametrize(
    "value",
    [{"pgfaults": "9" * DIGITS + "/s"}, {"events": {"max": 10**DIGITS}}, 10**DIGITS],
    ids=["rate", "events", "bare"],
)
def test_numbers_of_thousands_of_digits_are_refused_like_others(value: object) -> None:
    with pytest.raises(BadValueError):
        parse_start(value)


def test_a_day_is_the_longest_duration() -> None:
    assert parse_duration("86400s").duration_ms == 86_400_000
    with pytest.raises(BadValueError, match="too long"):
        parse_stop({"after": "86401s"})
