# SPDX-License-Identifier: GPL-2.0-or-later
"""Drop-ins: files with further policies, from packages and administrators, beside the configuration itself."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from reclaimd.config.bad_value import describe
from reclaimd.config.document import Document, read_document
from reclaimd.config.file import read_file
from reclaimd.config.problem import InvalidConfigError, Position, Problem, printable
from reclaimd.errors import ConfigError, NotPermittedError

_SUFFIX = ".yaml"
_KEY = "policies"
_HINT = "a drop-in holds 'policies:' and nothing else; all other keys go to the configuration itself"


def find_drop_ins(directories: Sequence[Path]) -> list[Path]:
    """Return the drop-ins of some directories, in the order of their names.

    A file masks those of the same name in later directories.

    Args:
        directories: by precedence; those that do not exist hold nothing.

    Raises:
        ConfigError: a directory cannot be read.
        NotPermittedError: this process may not read it.
    """
    by_name: dict[str, Path] = {}
    for directory in directories:
        for path in _entries(directory):
            by_name.setdefault(path.name, path)
    return [by_name[name] for name in sorted(by_name)]


def add_drop_ins(document: Document, paths: Iterable[Path]) -> None:
    """Append the policies of drop-ins to those of a configuration; what is wrong with one is added to its problems.

    Args:
        document: the configuration.
        paths: the drop-ins; an empty one, such as a link to /dev/null, has no policies.

    Raises:
        ConfigError: one cannot be read.
        NotPermittedError: this process may not read it.
    """
    for path in paths:
        data = read_file(path, hint="remove it, or make it an empty file")
        try:
            _add(document, read_document(data, str(path)))
        except InvalidConfigError as error:
            document.problems += error.problems


def _entries(directory: Path) -> list[Path]:
    name = printable(str(directory))
    try:
        return [
            path for path in directory.iterdir() if path.suffix == _SUFFIX and not path.name.startswith(".")
        ]
    except FileNotFoundError:
        return []
    except PermissionError:
        raise NotPermittedError(f"{name}: permission denied", hint="run as root") from None
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror}") from None


def _add(document: Document, drop_in: Document) -> None:
    document.problems += drop_in.problems
    content = drop_in.value
    if content is None:
        return
    if not isinstance(content, dict):
        start = Position(drop_in.file, 1, 1)
        document.problems.append(Problem(start, f"must be a mapping, but is {describe(content)}", _HINT))
        return
    for key in content:
        if key != _KEY:
            position = drop_in.key_position((key,))
            document.problems.append(Problem(position, f"the key '{key}' cannot stand in a drop-in", _HINT))
    policies = content.get(_KEY, [])
    if not isinstance(policies, list):
        text = f"{_KEY}: must be a list, but is {describe(policies)}"
        hint = "write its items as lines that start with '- '"
        document.problems.append(Problem(drop_in.position((_KEY,)), text, hint))
        return
    document.append_list(_KEY, drop_in)
