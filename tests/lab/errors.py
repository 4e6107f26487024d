# SPDX-License-Identifier: GPL-2.0-or-later
"""What can go wrong in the lab, and the exit status that each ends in."""


class LabError(Exception):
    """A step of the lab failed; the message is one line that says which and what to look at."""

    exit_status = 1


class HostError(LabError):
    """This host lacks something that the lab cannot do without."""

    exit_status = 69


class NotPermittedError(LabError):
    """The lab needs root: it makes a Debian root and mounts file systems."""

    exit_status = 77


class VmLostError(LabError):
    """The VM ended or hung before its command did; nothing can be said about the command."""

    exit_status = 125

    def __init__(self, message: str, *, console_tail: str) -> None:
        super().__init__(message)
        self.console_tail = console_tail


class KernelComplaintError(LabError):
    """The command ended well, but the guest's kernel log has an oops, a warning or a report of a checker."""

    exit_status = 126
