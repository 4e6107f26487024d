# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables and numbers for people."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP = 1024
_WHOLE_FROM = 100
US_PER_S = 1_000_000


def table_lines(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield a table line by line; each column is as wide as its widest cell."""
    cells = [headings, *rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def rounded_bytes(size_bytes: float) -> str:
    """Return a size in the unit that suits it, such as "11.8MiB"."""
    amount, unit = float(size_bytes), _UNITS[0]
    for unit in _UNITS:
        if amount < _STEP or unit == _UNITS[-1]:
            break
        amount /= _STEP
    return f"{amount:.0f}{unit}" if amount >= _WHOLE_FROM or amount == int(amount) else f"{amount:.1f}{unit}"


def local_time(time_us: int) -> str:
    """Return a time since 1970 as date and time of day here."""
    return datetime.fromtimestamp(time_us / US_PER_S).astimezone().isoformat(" ", "seconds")
