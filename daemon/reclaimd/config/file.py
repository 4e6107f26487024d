# SPDX-License-Identifier: GPL-2.0-or-later
"""Files of the configuration, read up to the size that they may have."""

from pathlib import Path

from reclaimd.config.problem import printable
from reclaimd.config.syntax import MAX_FILE_BYTES
from reclaimd.errors import ConfigError, NotPermittedError


def read_file(path: Path, *, hint: str) -> bytes:
    """Return what a file holds, and at least a byte more than is allowed where it holds too much.

    Args:
        path: the file.
        hint: what to do when there is no such file.

    Raises:
        ConfigError: there is no such file, or it cannot be read.
        NotPermittedError: this process may not read it.
    """
    name = printable(str(path))
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{name}: no such file", hint=hint) from None
    except PermissionError:
        raise NotPermittedError(f"{name}: permission denied", hint="run as root") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{name}: cannot be read: {reason}") from None
