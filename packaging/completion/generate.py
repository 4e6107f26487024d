# SPDX-License-Identifier: GPL-2.0-or-later
"""Generates the shells' completion from the parsers: python3 packaging/completion/generate.py."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import shtab

from reclaimd.bench import command as bench
from reclaimd.cli import main, reclaimctl

HERE = Path(__file__).parent
LICENSE = "# SPDX-License-Identifier: GPL-2.0-or-later\n"

#: Where a shell looks for the completion of a command by that command's name.
FILES = {"bash": "{}.bash", "zsh": "_{}", "fish": "{}.fish"}

#: What an argument with such a metavar can be. The daemon says what there is; without one there is nothing.
COMPLETIONS = {
    "FILE": shtab.FILE,
    "PATH": shtab.FILE,
    "DIR": shtab.DIRECTORY,
    "CGROUP": shtab.cmd("reclaimctl list --names 2>/dev/null"),
    "POLICY": shtab.cmd("reclaimctl status --names 2>/dev/null"),
}


def generated() -> Iterator[tuple[str, str]]:
    """Yield the files' names and what they are to hold."""
    for parser in (main.make_parser(), reclaimctl.make_parser(), bench.make_parser()):
        _annotate(parser)
        for shell, name in FILES.items():
            yield name.format(parser.prog), _licensed(shtab.complete(parser, shell))


def _annotate(parser: argparse.ArgumentParser) -> None:
    for action in parser._actions:  # noqa: SLF001  there is no other way to a parser's arguments
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001  likewise
            for command in action.choices.values():
                _annotate(command)
        elif action.metavar in COMPLETIONS:
            action.complete = COMPLETIONS[str(action.metavar)]


def _licensed(script: str) -> str:
    # zsh wants its #compdef to be the first line.
    first, rest = script.split("\n", 1)
    text = f"{first}\n{LICENSE}{rest}" if first.startswith("#compdef") else f"{LICENSE}{script}"
    return "\n".join(line.rstrip() for line in text.splitlines()).rstrip() + "\n"


if __name__ == "__main__":
    for file_name, text in generated():
        (HERE / file_name).write_text(text)
