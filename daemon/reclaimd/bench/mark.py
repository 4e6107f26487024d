# SPDX-License-Identifier: GPL-2.0-or-later
"""One mark, and the ratio of two measurements that most of them are about."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Self


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark; *reached* is None where what it needs was not measured."""

    number: int
    claim: str
    figures: str
    reached: bool | None

    def __str__(self) -> str:
        """Return the line that is printed."""
        return f"{self.word:13} {self.number}. {self.claim}: {self.figures}"

    @property
    def word(self) -> str:
        """What came of it."""
        return {True: "reached", False: "NOT REACHED", None: "not measured"}[self.reached]


@dataclass(frozen=True, slots=True)
class Ratio:
    """The ratio of two medians, and the range of the ratios of what was measured in the same turn."""

    middle: float
    least: float
    most: float
    decimals: int = 2

    @classmethod
    def of_turns(cls, over: Sequence[float], under: Sequence[float], decimals: int = 2) -> Self:
        """Return the ratio of what was measured in the same turns."""
        turns = [this / other for this, other in zip(over, under, strict=True)]
        return cls(median(over) / median(under), min(turns), max(turns), decimals)

    def __str__(self) -> str:
        """Return it as in "0.42 (0.30-0.61)"."""
        middle, least, most = (f"{value:.{self.decimals}f}" for value in (self.middle, self.least, self.most))
        return f"{middle} ({least}-{most})"
