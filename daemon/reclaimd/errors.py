# SPDX-License-Identifier: GPL-2.0-or-later
"""What reclaimd raises when something outside its own code is wrong.

Each exception is meant to end in one line for the administrator, and in an exit status from
sysexits.h that a service manager can tell apart. Whatever else reaches the command line is a bug.
"""

import errno
import os
from typing import ClassVar

#: Short of memory, descriptors or inotify watches: it may work in a while.
_PASSING = frozenset({errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EAGAIN})


class ReclaimdError(Exception):
    """A failure at run time; the base of all the others.

    Args:
        message: what is wrong, without a trailing full stop.
        hint: what the administrator can do about it.
    """

    #: The process's exit status when this error ends it.
    exit_status: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Return the message and the hint as one line."""
        return f"{self.message}; {self.hint}" if self.hint else self.message


class ConfigError(ReclaimdError):
    """The configuration cannot be used."""

    exit_status = os.EX_CONFIG


class HostError(ReclaimdError):
    """This host or its kernel cannot do what is asked."""

    exit_status = os.EX_UNAVAILABLE


class NotPermittedError(ReclaimdError):
    """This process may not do what is asked."""

    exit_status = os.EX_NOPERM


def exit_status(error: ReclaimdError) -> int:
    """The process's exit status when an error ends it: 1, with which a start is tried again, if its cause may pass."""
    cause = error.__cause__
    passing = isinstance(cause, OSError) and cause.errno in _PASSING
    return ReclaimdError.exit_status if passing else error.exit_status
