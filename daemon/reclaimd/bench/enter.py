# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands that run in a cgroup from their first instruction on."""

from collections.abc import Sequence
from pathlib import Path

ENTER = 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"'


def in_cgroup(cgroup: Path, command: Sequence[str | Path]) -> list[str | Path]:
    """Return the command that moves itself to *cgroup* and becomes *command* there."""
    return ["sh", "-c", ENTER, "sh", cgroup, *command]
