# SPDX-License-Identifier: GPL-2.0-or-later
"""A configuration file and its drop-ins to their typed form, with every mistake in them reported at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from reclaimd.config.document import Document, read_document
from reclaimd.config.drop_in import add_drop_ins, find_drop_ins
from reclaimd.config.file import read_file
from reclaimd.config.messages import to_problem
from reclaimd.config.models import Config
from reclaimd.config.problem import InvalidConfigError, Position, Problem
from reclaimd.config.tls import TlsError, server_context

DEFAULT_CONFIG = Path("/etc/reclaimd/reclaimd.yaml")
#: Where the drop-ins of DEFAULT_CONFIG are; those of the administrator mask a package's of the same name.
POLICY_DIRS = (Path("/etc/reclaimd/policy.d"), Path("/usr/lib/reclaimd/policy.d"))


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A valid configuration and what its files say, drop-ins included."""

    config: Config
    document: Document

    def position(self, *path: str | int) -> Position:
        """Return where a value stands, such as ("policies", 0, "reclaim", "start").

        For what its file leaves out this is the place of what would hold it.
        """
        return self.document.position(path)


def load_config(path: Path, policy_dirs: Sequence[Path] | None = None) -> LoadedConfig:
    """Read a configuration file and its drop-ins, and make sure that the certificates they name can be used.

    Args:
        path: the file.
        policy_dirs: where its drop-ins are, by precedence; by default POLICY_DIRS if path is DEFAULT_CONFIG,
            and nowhere if it is another, which stands for itself.

    Raises:
        InvalidConfigError: there are mistakes in them; a ConfigError with one line for each.
        ConfigError: there is no such file, or one cannot be read.
        NotPermittedError: this process may not read it, or one of the files that it names.
    """
    if policy_dirs is None:
        policy_dirs = POLICY_DIRS if path == DEFAULT_CONFIG else ()
    data = read_file(path, hint="name the configuration with --config FILE")
    document = _read_whole(data, str(path))
    add_drop_ins(document, find_drop_ins(policy_dirs))
    loaded = _validated(document)
    _require_certificates(loaded)
    return loaded


def parse_config(data: bytes, file: str) -> LoadedConfig:
    """Parse a configuration without drop-ins.

    Args:
        data: what the file holds.
        file: what the file is called in errors.

    Raises:
        InvalidConfigError: there are mistakes in it.
    """
    return _validated(_read_whole(data, file))


def _read_whole(data: bytes, file: str) -> Document:
    document = read_document(data, file)
    if document.value is None:
        start = Position(file, 1, 1)
        raise InvalidConfigError(
            [Problem(start, "the file is empty", "write 'policies: []' to govern nothing")]
        )
    return document


def _validated(document: Document) -> LoadedConfig:
    problems = [*document.problems, *_names_given_twice(document)]
    try:
        config = Config.model_validate(document.value)
    except ValidationError as error:
        problems += [to_problem(details, document) for details in error.errors(include_url=False)]
        raise InvalidConfigError(problems) from None
    if problems:
        raise InvalidConfigError(problems)
    return LoadedConfig(config, document)


def _require_certificates(loaded: LoadedConfig) -> None:
    tls = loaded.config.metrics.tls
    if tls is None:
        return
    try:
        server_context(tls)
    except TlsError as error:
        place = ("metrics", "tls", error.key)
        text = f"{'.'.join(place)}: {error.message}"
        raise InvalidConfigError([Problem(loaded.position(*place), text, error.hint)]) from None


def _names_given_twice(document: Document) -> Iterator[Problem]:
    # On the plain values, as a mistake elsewhere would keep a validator of Config from running.
    first: dict[str, Position] = {}
    for path, name in _policy_names(document):
        position = document.position(path)
        if before := first.get(name):
            where = f"line {before.line}" if before.file == position.file else f"{before.file}:{before.line}"
            text = f"policy name '{name}' is already used in {where}"
            yield Problem(position, text, "give each policy a name of its own")
        first.setdefault(name, position)


def _policy_names(document: Document) -> Iterator[tuple[tuple[str | int, ...], str]]:
    policies = document.value.get("policies") if isinstance(document.value, dict) else None
    for index, policy in enumerate(policies if isinstance(policies, list) else ()):
        name = policy.get("name") if isinstance(policy, dict) else None
        if isinstance(name, str):
            yield ("policies", index, "name"), name
