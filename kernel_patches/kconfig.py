# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel configurations: what was asked for, and what became of it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

CONFIG = Path(__file__).parent / "config"


@dataclass(frozen=True)
class Mismatch:
    """An option that the kernel's dependencies did not let be as asked for."""

    name: str
    asked: str
    got: str

    def __str__(self) -> str:
        return f"CONFIG_{self.name}={self.asked} became {self.got}"


def parse(text: str) -> dict[str, str]:
    """Options and their values in the form of .config and of fragments; an option that is not set is `n`."""
    options = dict.fromkeys(re.findall(r"^# CONFIG_(\w+) is not set$", text, re.MULTILINE), "n")
    options.update(re.findall(r"^CONFIG_(\w+)=(.*?)\s*$", text, re.MULTILINE))
    return options


def merge(fragments: Iterable[Path]) -> str:
    """One fragment out of several; where two set the same option, the later one is taken."""
    options: dict[str, str] = {}
    for fragment in fragments:
        options.update(parse(fragment.read_text(encoding="utf-8")))
    return "".join(f"CONFIG_{name}={value}\n" for name, value in options.items())


def mismatches(asked: str, got: str) -> list[Mismatch]:
    """The options of `asked` that have another value in the finished configuration `got`."""
    result = parse(got)
    return [
        Mismatch(name, value, result.get(name, "n"))
        for name, value in parse(asked).items()
        if result.get(name, "n") != value
    ]
