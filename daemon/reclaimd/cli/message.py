# SPDX-License-Identifier: GPL-2.0-or-later
"""What the commands say when they fail."""

from reclaimd.config.problem import InvalidConfigError
from reclaimd.errors import ConfigError, ReclaimdError


class NotReloadedError(ConfigError):
    """The daemon cannot use its configuration; a line for each problem."""


def error_line(program: str, error: ReclaimdError) -> str:
    """Return an error as the program's last words."""
    # Lines that start with a place in a file are left so, for editors to follow.
    has_places = isinstance(error, InvalidConfigError | NotReloadedError)
    return str(error) if has_places else f"{program}: {error}"
