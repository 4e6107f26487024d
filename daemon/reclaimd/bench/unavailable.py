# SPDX-License-Identifier: GPL-2.0-or-later
"""A mode that cannot run here."""


class UnavailableError(Exception):
    """This host or kernel cannot do it; the message says why."""
