# SPDX-License-Identifier: GPL-2.0-or-later
"""A configuration file to its typed form, with every mistake in it reported at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from reclaimd.config.document import Document, read_document
from reclaimd.config.messages import to_problem
from reclaimd.config.models import Config
from reclaimd.config.problem import InvalidConfigError, Position, Problem, printable
from reclaimd.config.syntax import MAX_FILE_BYTES
from reclaimd.errors import ConfigError, NotPermittedError


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A valid configuration and the file that it comes from."""

    config: Config
    document: Document

    def position(self, *path: str | int) -> Position:
        """Return where a value stands, such as ("policies", 0, "reclaim", "start").

        For what the file leaves out this is the place of what would hold it.
        """
        return self.document.position(path)


def load_config(path: Path) -> LoadedConfig:
    """Read a configuration file.

    Raises:
        InvalidConfigError: there are mistakes in it; a ConfigError with one line for each.
        ConfigError: there is no such file, or it cannot be read.
        NotPermittedError: this process may not read it.
    """
    name = printable(str(path))
    try:
        with path.open("rb") as file:
            # One byte more than is allowed shows that there is more.
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{name}: no such file", hint="name the configuration with --config FILE") from None
    except PermissionError:
        raise NotPermittedError(f"{name}: permission denied", hint="run as root") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{name}: cannot be read: {reason}") from None
    return parse_config(data, str(path))


def parse_config(data: bytes, file: str) -> LoadedConfig:
    """Parse a configuration.

    Args:
        data: what the file holds.
        file: what the file is called in errors.

    Raises:
        InvalidConfigError: there are mistakes in it.
    """
    document = read_document(data, file)
    if document.value is None:
        start = Position(file, 1, 1)
        raise InvalidConfigError(
            [Problem(start, "the file is empty", "write 'policies: []' to govern nothing")]
        )
    problems = [*document.problems, *_names_given_twice(document)]
    try:
        config = Config.model_validate(document.value)
    except ValidationError as error:
        problems += [to_problem(details, document) for details in error.errors(include_url=False)]
        raise InvalidConfigError(problems) from None
    if problems:
        raise InvalidConfigError(problems)
    return LoadedConfig(config, document)


def _names_given_twice(document: Document) -> Iterator[Problem]:
    # On the plain values, as a mistake elsewhere would keep a validator of Config from running.
    first: dict[str, Position] = {}
    for path, name in _policy_names(document):
        position = document.position(path)
        if before := first.get(name):
            text = f"policy name '{name}' is already used in line {before.line}"
            yield Problem(position, text, "give each policy a name of its own")
        first.setdefault(name, position)


def _policy_names(document: Document) -> Iterator[tuple[tuple[str | int, ...], str]]:
    policies = document.value.get("policies") if isinstance(document.value, dict) else None
    for index, policy in enumerate(policies if isinstance(policies, list) else ()):
        name = policy.get("name") if isinstance(policy, dict) else None
        if isinstance(name, str):
            yield ("policies", index, "name"), name
