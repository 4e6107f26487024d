# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands of a command: subparsers that all take --json, and what they print."""

import argparse
import json
from collections.abc import Callable
from enum import StrEnum


class JsonStyle(StrEnum):
    """How JSON is printed: over many lines, or each value in one."""

    PRETTY = "pretty"
    SHORT = "short"


#: What a command does with its parsed arguments; it returns the exit status, and raises ReclaimdError.
Run = Callable[[argparse.Namespace], int]


class Commands:
    """Where commands are added to a parser; `--json` may stand before or after a command's name.

    Args:
        parser: of the program.
    """

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        parser.set_defaults(json=None)
        _add_json(parser)
        self._subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(self, name: str, run: Run, *, summary: str, description: str) -> argparse.ArgumentParser:
        """Add a command, and return its parser for the command's own arguments.

        Args:
            name: what is typed.
            run: what it does; finds a JsonStyle or None as `json` among its arguments.
            summary: a few words for the list of commands.
            description: a sentence or more, for the command's own help.
        """
        parser = self._subparsers.add_parser(name, help=summary, description=description)
        parser.set_defaults(run=run)
        _add_json(parser)
        return parser


def print_json(value: object, style: JsonStyle) -> None:
    """Print a value as JSON and at once, so that a pipe's reader sees it."""
    indent = 2 if style is JsonStyle.PRETTY else None
    separators = None if indent else (",", ":")
    print(json.dumps(value, indent=indent, separators=separators), flush=True)


def _add_json(parser: argparse.ArgumentParser) -> None:
    # Without a default of its own, which would undo what stands before the command's name.
    parser.add_argument(
        "--json",
        type=JsonStyle,
        choices=tuple(JsonStyle),
        metavar="{pretty,short}",
        default=argparse.SUPPRESS,
        help="print JSON: over many lines, or each value in one",
    )
