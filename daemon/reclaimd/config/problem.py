# SPDX-License-Identifier: GPL-2.0-or-later
"""What is wrong with a configuration, where, and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from reclaimd.errors import ConfigError

#: A broken file can hold thousands of mistakes, of which nobody reads more than these.
MAX_PROBLEMS_SHOWN = 50
#: A quoted value may fill the whole file.
_MAX_TEXT_CHARS = 300


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a file; line and column count from 1, columns in characters."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        """Return the place as compilers and editors write it."""
        return f"{self.file}:{self.line}:{self.column}"


class Severity(StrEnum):
    """Whether a problem keeps something from being carried out."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding; `policy` is the name of the policy it is about, where it is about one."""

    position: Position
    text: str
    hint: str | None = None
    severity: Severity = Severity.ERROR
    policy: str | None = None

    def __str__(self) -> str:
        """Return the finding as one line that any terminal can show."""
        label = "warning: " if self.severity is Severity.WARNING else ""
        hint = f"; {self.hint}" if self.hint else ""
        return printable(f"{self.position}: {label}{_shortened(self.text)}{_shortened(hint)}")


class InvalidConfigError(ConfigError):
    """A file that was read, and every mistake that was found in it.

    Its text has one line for each problem, in the order of the file.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        # Aliases lead to one mistake by several ways.
        self.problems = tuple(sorted(dict.fromkeys(problems), key=lambda problem: problem.position))
        super().__init__("\n".join(self._lines()))

    def _lines(self) -> list[str]:
        lines = [str(problem) for problem in self.problems[:MAX_PROBLEMS_SHOWN]]
        if hidden := len(self.problems) - len(lines):
            lines.append(f"{printable(self.problems[0].position.file)}: {hidden} more problems are not shown")
        return lines


def printable(text: str) -> str:
    """Escape what would break a line or a terminal: control characters, undecodable bytes."""
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_TEXT_CHARS else f"{text[:_MAX_TEXT_CHARS]}…"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
