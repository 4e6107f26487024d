# SPDX-License-Identifier: GPL-2.0-or-later
"""What the commands say when they fail."""

from reclaimd.config.problem import InvalidConfigError
from reclaimd.errors import ReclaimdError


def error_line(program: str, error: ReclaimdError) -> str:
    """Return an error as the program's last words."""
    # Lines that start with a place in a file are left so, for editors to follow.
    return str(error) if isinstance(error, InvalidConfigError) else f"{program}: {error}"
