# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest's pytest tells the host's about a test; no pytest in here, as the two are of different versions."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

Outcome = Literal["passed", "failed", "skipped"]
When = Literal["setup", "call", "teardown"]
DONE: Final = "done"
"""Sent in place of an outcome when nothing more comes about the test."""


@dataclass(frozen=True)
class Place:
    """Where a test failed or was skipped, and in short why."""

    path: str
    line: int
    message: str


@dataclass(frozen=True)
class Record:
    """One phase of one test, or the news that a test, or the collection of a file, is done with."""

    node_id: str
    outcome: Outcome | Literal["done"]
    when: When = "call"
    duration_s: float = 0.0
    text: str = ""
    """The failure as pytest writes it."""
    place: Place | None = None
    expected_failure: str | None = None
    """The reason of an xfail mark that had an effect."""
    sections: list[tuple[str, str]] = field(default_factory=list)
    properties: list[tuple[str, str]] = field(default_factory=list)
    complaints: list[int] = field(default_factory=list)
    """The sequence numbers of the kernel's complaints that this record already tells of."""

    def to_line(self) -> str:
        """The record as one line of JSON."""
        return json.dumps(asdict(self))


def from_line(line: str) -> Record:
    """The record that to_line() wrote."""
    fields: dict[str, Any] = json.loads(line)
    for pairs in ("sections", "properties"):
        fields[pairs] = [(name, value) for name, value in fields[pairs]]
    if fields["place"]:
        fields["place"] = Place(**fields["place"])
    return Record(**fields)
