# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's promtool."""

import subprocess

from tests.system.daemon import PATIENCE_S


def promtool(*arguments: str, text: str | None = None) -> str:
    """Run it, with text on its standard input; return what it says, and fail if it finds fault."""
    ended = subprocess.run(
        ["promtool", *arguments], input=text, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    return said
