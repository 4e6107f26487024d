# SPDX-License-Identifier: GPL-2.0-or-later
"""The running daemon: its loop, signals, log and metrics."""

import sys
from importlib import import_module


def _import_structlog() -> None:
    """Import structlog as if there were no rich: it would load that, for tracebacks that no log has.

    That would be a sixth of the daemon's memory and of the time until it is ready.
    """
    if "rich" in sys.modules:
        return
    sys.modules["rich"] = None  # type: ignore[assignment]  # Python's way to say that there is none
    try:
        import_module("structlog")
    finally:
        del sys.modules["rich"]


_import_structlog()
