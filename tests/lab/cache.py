# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's cache: entries that are named by the content of what they are made from, and built once.

An entry exists completely or not at all: it is built under another name and renamed when done. A lock per
entry keeps two builds of the same thing apart; the kernel drops it with its holder, however that ends.
"""

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.lab.progress import say

PARTIAL = ".partial"
UNUSED_S = 30 * 24 * 3600.0


def cache_dir() -> Path:
    """The directory of all entries, outside every checkout; made when missing."""
    chosen = os.environ.get("RECLAIMD_LAB_CACHE")
    if chosen:
        path = Path(chosen).resolve()
    else:
        path = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "reclaimd-lab"
    path.mkdir(parents=True, exist_ok=True)
    return path


def content_key(*inputs: Path | str) -> str:
    """Sixteen hex digits over texts and over files; a file counts with its name and content, not its place or age."""
    digest = hashlib.sha256()
    for item in inputs:
        name, content = (item.name, item.read_bytes()) if isinstance(item, Path) else ("", item.encode())
        digest.update(f"{len(name)}:{name}{len(content)}:".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock called `name`; says so when somebody else has it, and waits."""
    with _lock_file(name).open("a+") as lock:
        if not _try(lock):
            lock.seek(0)
            say(f"waiting for {name}: process {lock.read().strip() or 'unknown'} is at work on it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def build_once(name: str, key: str, build: Callable[[Path], None]) -> Path:
    """The entry `name`-`key`; when missing, `build` fills an empty directory that then becomes the entry."""
    entry = cache_dir() / f"{name}-{key}"
    if not entry.is_dir():
        with locked(entry.name):
            if not entry.is_dir():
                _sweep(name, entry)
                partial = entry.with_name(entry.name + PARTIAL)
                partial.mkdir()
                build(partial)
                partial.rename(entry)
    os.utime(entry)
    return entry


def _lock_file(name: str) -> Path:
    return cache_dir() / f"{name}.lock"


def _try(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sweep(name: str, entry: Path) -> None:
    """Remove what broken-off builds of `name` left, and its entries that nobody has used for long."""
    for path in cache_dir().glob(f"{name}-*/"):
        broken_off = path.name.endswith(PARTIAL)
        if not broken_off and time.time() - path.stat().st_mtime < UNUSED_S:
            continue
        owner = path.name.removesuffix(PARTIAL)
        with _lock_file(owner).open("a+") as lock:
            if owner == entry.name or _try(lock):
                shutil.rmtree(path)
