# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab: a Debian trixie root and a patched kernel, built once, and the VM that runs commands and tests on them.

Standard library only, so that it runs before anything is installed. `python3 -m tests.lab --help` lists its commands.
"""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
"""The checkout that this lab belongs to; the VM sees it under the same path."""
