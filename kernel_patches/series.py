# SPDX-License-Identifier: GPL-2.0-or-later
"""The patch series: which files there are, and which files of the kernel they touch."""

import re
from collections.abc import Iterable
from pathlib import Path

KERNEL_PATCHES = Path(__file__).parent
SERIES = KERNEL_PATCHES / "linux-7.3"


def patches() -> list[Path]:
    """The series in its order, which is that of the patches' numbers."""
    return sorted(SERIES.glob("[0-9][0-9][0-9][0-9]-*.patch"))


def touched(series: Iterable[Path]) -> set[str]:
    """The kernel's files that these patches change, add or remove, as paths below its source."""
    found: set[str] = set()
    for patch in series:
        for old, new in re.findall(
            r"^diff --git a/(\S+) b/(\S+)$", patch.read_text(encoding="utf-8"), re.MULTILINE
        ):
            found |= {old, new}
    return found
