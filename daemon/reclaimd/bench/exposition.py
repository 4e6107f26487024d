# SPDX-License-Identifier: GPL-2.0-or-later
"""Prometheus's text format, as far as the daemon's metrics need it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# A label's value may hold braces, and quotes behind a backslash.
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\.)*"'
_SAMPLE = re.compile(rf"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{{((?:{_LABEL},?)*)\}})? (\S+)")
_ONE_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Series:
    """One series and its value at the scrape."""

    name: str
    labels: Mapping[str, str]
    value: float


def parse(text: str) -> list[Series]:
    """Read an exposition.

    Raises:
        ValueError: a line is neither a comment nor a sample.
    """
    return [_series(line) for line in text.splitlines() if line and not line.startswith("#")]


def total(series: Sequence[Series], name: str, **labels: str) -> float | None:
    """Return the sum over all series of *name* that carry *labels*; None where there is none."""
    values = [one.value for one in series if one.name == name and labels.items() <= one.labels.items()]
    return sum(values) if values else None


def _series(line: str) -> Series:
    if not (match := _SAMPLE.fullmatch(line)):
        raise ValueError(f"no sample: {line!r}")
    name, labels, value = match.groups()
    pairs = {key: _unescape(quoted) for key, quoted in _ONE_LABEL.findall(labels or "")}
    return Series(name, pairs, float(value))


def _unescape(quoted: str) -> str:
    return _ESCAPE.sub(lambda match: "\n" if match[1] == "n" else match[1], quoted)
