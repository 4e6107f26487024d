# SPDX-License-Identifier: GPL-2.0-or-later
"""How the parsers of single values say what is wrong, without knowing where the value stands."""


class BadValueError(ValueError):
    """A value that parses as YAML and means nothing here.

    Args:
        message: what is wrong with it.
        hint: what to write in its place.
        at: where in the value the mistake is, as keys and list indexes from the outside in.
    """

    def __init__(self, message: str, *, hint: str | None = None, at: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.at = at


def shown(value: object) -> str:
    """Return a value as text; Python refuses to write out integers of thousands of digits."""
    try:
        return str(value)
    except ValueError:
        return "a number of thousands of digits"


def describe(value: object) -> str:
    """Return what a value of a YAML document is, in YAML's words."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a mapping"
