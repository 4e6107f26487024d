# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes of a file to PyYAML nodes: everything that is wrong with a file as YAML is found here."""

import codecs
import re

import yaml

from reclaimd.config.problem import InvalidConfigError, Position, Problem

#: Far above what thousands of policies need, and read by PyYAML within seconds.
MAX_FILE_BYTES = 512 * 1024
MAX_DEPTH = 32
MAX_NODES = 50_000

#: What YAML 1.2 does not allow in a file, and the line breaks that only YAML 1.1 knew.
_FORBIDDEN = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_WIDE_BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)

#: How PyYAML words a mistake (a part of it), and how to say it to whoever made it.
_REWORDED = (
    ("found character '\\t'", "a tab stands where only spaces may", "replace it with spaces"),
    (
        "mapping values are not allowed here",
        "a ':' too many",
        "put the value in quotes, or check the indentation",
    ),
    ("could not find expected ':'", "a key without ':'", "write it as key: value"),
    (
        "but found '<block mapping start>'",
        "the indentation does not fit the lines above",
        "line it up with them",
    ),
    (
        "but found '<block sequence start>'",
        "the indentation does not fit the lines above",
        "line it up with them",
    ),
    ("but found '-'", "a list item where a key is expected", "line the dashes up below each other"),
    (
        "block sequence entries are not allowed",
        "a list item cannot start here",
        "put it on a line of its own",
    ),
    (
        "expected <block end>",
        "this cannot stand here",
        "check the indentation, brackets and quotes",
    ),
    ("unexpected end of stream", "a quote is opened and never closed", "close it"),
    ("found unexpected document separator", "a quote is opened and never closed", "close it"),
    ("expected ',' or ']'", "a '[' is opened and never closed", "close it, and put commas between the items"),
    (
        "expected ',' or '}'",
        "a '{' is opened and never closed",
        "close it, and put commas between the entries",
    ),
    ("undefined alias", "the file has no such anchor", "put a text that starts with * in quotes"),
    ("second occurrence", "an anchor of this name was already given", "rename one of the two"),
    ("while scanning an alias", "* starts an alias", "put a text that starts with * in quotes"),
    ("cannot start any token", "a text cannot start with this character", "put the text in quotes"),
    ("another document", "a second document starts here", "a configuration is one document: remove the ---"),
)


def compose(data: bytes, file: str) -> yaml.Node | None:
    """Parse one YAML document; None if there is nothing in it.

    Args:
        data: what the file holds.
        file: what the file is called in errors.

    Raises:
        InvalidConfigError: it is not one YAML document of moderate size.
    """
    loader = _Loader(_decode(data, file), file)
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise InvalidConfigError([_from_yaml(error, file)]) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # PyYAML passes on what chr() and int() say to impossible escapes.
        position = Position(file, loader.line + 1, loader.column + 1)
        raise InvalidConfigError([Problem(position, f"not valid YAML: {error}")]) from None
    finally:
        loader.dispose()
    if loader.tagged:
        raise InvalidConfigError(loader.tagged)
    return node


class _Loader(yaml.SafeLoader):
    """Composes nodes within bounds; tags are noted down and refused by compose()."""

    def __init__(self, text: str, file: str) -> None:
        super().__init__(text)
        self.tagged: list[Problem] = []
        self._file = file
        self._depth = 0
        self._nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # untyped in the stubs
        self._nodes += 1
        if self._depth >= MAX_DEPTH:
            raise yaml.MarkedYAMLError(
                problem=f"more than {MAX_DEPTH} levels deep", problem_mark=event.start_mark
            )
        if self._nodes > MAX_NODES:
            raise yaml.MarkedYAMLError(problem=f"more than {MAX_NODES} values", problem_mark=event.start_mark)
        tag = getattr(event, "tag", None)
        if tag is not None:
            position = position_of(event.start_mark, self._file)
            self.tagged.append(Problem(position, f"the tag {tag} has no meaning here", "remove it"))
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def position_of(mark: yaml.Mark, file: str) -> Position:
    """Return a PyYAML mark, which counts from 0, as a position."""
    return Position(file, mark.line + 1, mark.column + 1)


def _decode(data: bytes, file: str) -> str:
    if len(data) > MAX_FILE_BYTES:
        start = Position(file, 1, 1)
        raise InvalidConfigError([Problem(start, f"the file is larger than {MAX_FILE_BYTES // 1024}KiB")])
    if data.startswith(_WIDE_BOMS):
        raise InvalidConfigError([Problem(Position(file, 1, 1), "the file is not UTF-8", "save it as UTF-8")])
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        position = _position_after(data[: error.start].decode("utf-8"), file)
        problem = Problem(position, f"byte 0x{data[error.start]:02x} is not UTF-8", "save the file as UTF-8")
        raise InvalidConfigError([problem]) from None
    if found := _FORBIDDEN.search(text):
        position = _position_after(text[: found.start()], file)
        problem = Problem(
            position, f"character U+{ord(found[0]):04X} may not stand in a YAML file", "remove it"
        )
        raise InvalidConfigError([problem])
    return text


def _position_after(text: str, file: str) -> Position:
    lines = _LINE_BREAK.split(text)
    return Position(file, len(lines), len(lines[-1]) + 1)


def _from_yaml(error: yaml.MarkedYAMLError, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    position = position_of(mark, file) if mark else Position(file, 1, 1)
    wording = f"{error.context or ''}: {error.problem or ''}"
    for part, text, hint in _REWORDED:
        if part in wording:
            return Problem(position, text + _since(error), hint)
    return Problem(position, f"not valid YAML: {error.problem}" + _since(error))


def _since(error: yaml.MarkedYAMLError) -> str:
    """Return where the construct started that went wrong, if that is on another line."""
    start, end = error.context_mark, error.problem_mark
    return f" (this part starts in line {start.line + 1})" if start and end and start.line != end.line else ""
