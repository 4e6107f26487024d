# SPDX-License-Identifier: GPL-2.0-or-later
"""What a package of the daemon is built from: a copy of the checkout's sources with the compiled BPF object."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from kernel_patches.kernel import Variant, kernel
from tests.lab import CHECKOUT, programs
from tests.lab.cache import content_key

PARTS = (
    "CHANGELOG.md",
    "LICENSE",
    "LICENSES",
    "README.md",
    "config",
    "daemon",
    "docs",
    "packaging",
    "pyproject.toml",
)
OBJECT = programs.BUILD / "bpf" / "reclaimd.bpf.o"
EXPORTED_OBJECT = Path("bpf") / OBJECT.name
"""Where the exported sources have it: tools remove their build/."""
_MADE_BY_TOOLS = shutil.ignore_patterns("__pycache__", "*.egg-info")


def prepare() -> None:
    """Compile the BPF object where it is out of date."""
    programs.build(kernel(Variant.LAB))


def source_key(*others: str) -> str:
    """Changes with every file that a package is built from, with its mode, and with the other texts."""
    files = [path for part in PARTS for path in _files(CHECKOUT / part)] + [OBJECT]
    listed = [f"{path.relative_to(CHECKOUT)} {os.access(path, os.X_OK)}" for path in files]
    return content_key(*others, *listed, *files)


def export(target: Path) -> None:
    """Fill an empty place with the sources."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for part in PARTS:
        if (CHECKOUT / part).is_dir():
            shutil.copytree(CHECKOUT / part, target / part, symlinks=True, ignore=_MADE_BY_TOOLS)
        else:
            shutil.copy2(CHECKOUT / part, target / part)
    (target / EXPORTED_OBJECT).parent.mkdir()
    shutil.copy2(OBJECT, target / EXPORTED_OBJECT)


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    ignored = _MADE_BY_TOOLS(str(path), [entry.name for entry in path.iterdir()])
    for entry in sorted(path.iterdir()):
        if entry.name not in ignored:
            yield from _files(entry)
