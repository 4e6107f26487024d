# SPDX-License-Identifier: GPL-2.0-or-later
"""PyYAML nodes to plain values, with the position of every value and every key kept beside them."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from reclaimd.config.problem import InvalidConfigError, Position, Problem
from reclaimd.config.scalars import Scalar, resolve_plain
from reclaimd.config.syntax import compose, position_of

#: Keys and indexes that lead from the top of a document to a value.
KeyPath = tuple[str | int, ...]
Value = Scalar | list["Value"] | dict[str, "Value"]

#: Aliases let a few lines stand for billions of values.
MAX_VALUES = 50_000


@dataclass(slots=True)
class Document:
    """What a file says, and where; what was appended to it keeps its own file's name."""

    file: str
    value: Value = None
    problems: list[Problem] = field(default_factory=list)
    _values: dict[KeyPath, Position] = field(default_factory=dict)
    _keys: dict[KeyPath, Position] = field(default_factory=dict)

    def position(self, path: KeyPath) -> Position:
        """Return where a value starts.

        Steps that the file does not have are left out: where `match: /a` is short for
        `match: {include: [/a]}`, the path to include leads to the value of match.
        """
        return self._values[self.existing(path)]

    def key_position(self, path: KeyPath) -> Position:
        """Return where the key of a value starts, or the value itself if it has no key."""
        existing = self.existing(path)
        return self._keys.get(existing, self._values[existing])

    def existing(self, path: KeyPath) -> KeyPath:
        """Return the path without the steps that the file does not have."""
        found: KeyPath = ()
        for step in path:
            if (*found, step) in self._values:
                found = (*found, step)
        return found

    def note_key(self, path: KeyPath, position: Position) -> None:
        """Record where a key starts."""
        self._keys[path] = position

    def note_value(self, path: KeyPath, position: Position) -> None:
        """Record where a value starts."""
        self._values[path] = position

    def append_list(self, key: str, other: "Document") -> None:
        """Append the list at a key of another document to the one at that key here; each value keeps its place.

        Where this document has no list there, it stays as it is.
        """
        own = self.value.get(key) if isinstance(self.value, dict) else None
        added = other.value.get(key) if isinstance(other.value, dict) else None
        if not isinstance(own, list) or not isinstance(added, list):
            return
        for places, new_places in ((self._values, other._values), (self._keys, other._keys)):  # noqa: SLF001  one class
            for path, position in new_places.items():
                if len(path) > 1 and path[0] == key and isinstance(path[1], int):
                    places[(key, len(own) + path[1], *path[2:])] = position
        own += added

    def __len__(self) -> int:
        """Return how many values there are."""
        return len(self._values)


def read_document(data: bytes, file: str) -> Document:
    """Parse a YAML file into plain values; that of an empty file is None.

    Keys that come twice are in the document's problems; the first of them counts.

    Raises:
        InvalidConfigError: the file is not one YAML document of moderate size.
    """
    node = compose(data, file)
    document = Document(file)
    if node is None:
        document.note_value((), Position(file, 1, 1))
    else:
        document.value = _Converter(document).convert(node, ())
    return document


class _Converter:
    def __init__(self, document: Document) -> None:
        self._document = document
        # The collections around the one at hand: an alias to one of them never ends.
        self._open: set[int] = set()

    def convert(self, node: yaml.Node, path: KeyPath) -> Value:
        self._document.note_value(path, self._position(node))
        if isinstance(node, yaml.ScalarNode):
            return resolve_plain(node.value) if node.style is None else str(node.value)
        self._enter(node)
        value = (
            self._mapping(node, path) if isinstance(node, yaml.MappingNode) else self._sequence(node, path)
        )
        self._open.remove(id(node))
        return value

    def _enter(self, node: yaml.Node) -> None:
        if id(node) in self._open:
            self._fail(node, "an alias refers to what it is a part of", "write the value out")
        if len(self._document) > MAX_VALUES:
            self._fail(node, f"aliases make this more than {MAX_VALUES} values", "use fewer aliases")
        self._open.add(id(node))

    def _sequence(self, node: yaml.Node, path: KeyPath) -> list[Value]:
        return [self.convert(item, (*path, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: yaml.Node, path: KeyPath) -> dict[str, Value]:
        return {key: self.convert(value, (*path, key)) for key, value in self._entries(node, path)}

    def _entries(self, node: yaml.Node, path: KeyPath) -> Iterator[tuple[str, yaml.Node]]:
        first: dict[str, Position] = {}
        for key_node, value_node in node.value:
            position = self._position(key_node)
            if not isinstance(key_node, yaml.ScalarNode) or not key_node.value:
                self._note(position, "a key must be a name", "write it as name: value")
            elif before := first.get(key_node.value):
                place = f"line {before.line}, column {before.column}"
                text = f"duplicate key '{key_node.value}', first given in {place}"
                self._note(position, text, "remove one of the two")
            else:
                first[key_node.value] = position
                self._document.note_key((*path, key_node.value), position)
                yield key_node.value, value_node

    def _position(self, node: yaml.Node) -> Position:
        return position_of(node.start_mark, self._document.file)

    def _note(self, position: Position, text: str, hint: str) -> None:
        self._document.problems.append(Problem(position, text, hint))

    def _fail(self, node: yaml.Node, text: str, hint: str) -> None:
        raise InvalidConfigError([Problem(self._position(node), text, hint)])
