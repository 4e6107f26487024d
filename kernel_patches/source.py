# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's source: Debian's, unpacked once, and trees of it that carry the patches.

A tree is changed in place from one state of the series to the next, and only where a file's content differs, so
that make rebuilds what a changed patch concerns and nothing else.
"""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kernel_patches.series import touched
from tests.lab.cache import build_once, cache_dir
from tests.lab.chroot import Chroot
from tests.lab.errors import LabError
from tests.lab.progress import run_step, say
from tests.lab.root import KERNEL_SOURCE, root, source_version

SUPPORTED = "7.3"
JOBS = (os.cpu_count() or 1) + 1
WORK = "/mnt/work"
REPRODUCIBLE = {
    "KBUILD_BUILD_TIMESTAMP": "1970-01-01",
    "KBUILD_BUILD_VERSION": "1",
    "KBUILD_BUILD_USER": "reclaimd",
    "KBUILD_BUILD_HOST": "lab",
}
CCACHE = {
    "PATH": "/usr/lib/ccache:/usr/sbin:/usr/bin",
    "CCACHE_DIR": "/mnt/ccache",
    "CCACHE_MAXSIZE": "6G",
    # Kbuild has the compiler list the headers anyway; so nothing is preprocessed twice where the cache is empty.
    "CCACHE_DEPEND": "1",
}


@dataclass(frozen=True)
class Pristine:
    """The unpacked, unpatched source."""

    path: Path
    package: str
    """The version of Debian's package, such as 7.3.4-1~bpo13+1."""
    version: str
    """The kernel's own, such as 7.3.4."""


def pristine() -> Pristine:
    """Debian's kernel source out of the lab root; raises LabError when it is no 7.3.x."""
    rootfs = root()
    package = source_version(rootfs)
    path = build_once("linux", package, _unpack) / KERNEL_SOURCE
    version = _kernel_version(path)
    if not version.startswith(f"{SUPPORTED}."):
        raise LabError(f"{KERNEL_SOURCE} holds Linux {version}: the series is for {SUPPORTED}.x")
    return Pristine(path, package, version)


def _unpack(entry: Path) -> None:
    inside = Chroot(root(), {"into": entry})
    archive = f"/usr/src/{KERNEL_SOURCE}.tar.xz"
    inside.step(
        ["tar", "-xf", archive], cwd="/mnt/into", label="kernel source", log=cache_dir() / "source.log"
    )


def _kernel_version(source: Path) -> str:
    makefile = (source / "Makefile").read_text(encoding="utf-8")
    numbers = [
        re.search(rf"^{name} = (\d+)$", makefile, re.MULTILINE)
        for name in ("VERSION", "PATCHLEVEL", "SUBLEVEL")
    ]
    return ".".join(number[1] for number in numbers if number)


class Tree:
    """A patched source and the directories it is built in, under the cache; used under a lock of the same name."""

    def __init__(self, name: str, source: Pristine) -> None:
        self.path = cache_dir() / f"work-{name}-{source.package}"
        self._pristine = source
        self._changed = self.path / "changed"
        """Names the files of the tree that may differ from the pristine ones."""

    @property
    def log(self) -> Path:
        """All output of what was run on this tree."""
        return self.path / "log"

    def patch(self, series: Sequence[Path]) -> None:
        """Bring the tree to the state after `series`; raises LabError, naming the patch that does not apply."""
        self._create()
        wanted = self._apply(series)
        paths = set(wanted) | set(self._changed.read_text(encoding="utf-8").split())
        self._changed.write_text("\n".join(sorted(paths)), encoding="utf-8")
        for path in sorted(paths):
            original = self._pristine.path / path
            content = wanted[path] if path in wanted else original.read_bytes() if original.exists() else None
            _replace(self.path / "src" / path, content)
        self._changed.write_text("\n".join(sorted(wanted)), encoding="utf-8")

    def chroot(self, more: Mapping[str, Path] | None = None) -> Chroot:
        """The lab root with the tree at /mnt/work, a compiler cache, and `more` directories."""
        ccache = cache_dir() / "ccache"
        ccache.mkdir(exist_ok=True)
        binds = {"work": self.path, "ccache": ccache, **(more or {})}
        return Chroot(root(), binds, {**REPRODUCIBLE, **CCACHE})

    def make(self, build: str, *words: str, label: str, log: Path | None = None) -> None:
        """Run the kernel's make for the build directory `build`; its output goes to `log`, else to the tree's."""
        command = ["make", "-C", f"{WORK}/src", f"O={WORK}/{build}", f"-j{JOBS}", *words]
        broken_off = self._mark(build)
        broken_off.touch()
        try:
            self.chroot().step(command, cwd=f"{WORK}/{build}", label=label, log=log or self.log)
        except LabError:
            # make ended by itself, and has put away what it was at work on.
            broken_off.unlink()
            raise
        broken_off.unlink()

    def directory(self, build: str) -> Path:
        """The build directory `build`, made when missing, and anew if its make was killed.

        A killed make leaves files half written that would stop the next one; the compiler's cache has the objects.
        """
        path, mark = self.path / build, self._mark(build)
        if mark.exists():
            say(f"a build was broken off in {path}: starting over, with the compiler's cache")
            shutil.rmtree(path, ignore_errors=True)
            mark.unlink()
        path.mkdir(exist_ok=True)
        return path

    def _mark(self, build: str) -> Path:
        return self.path / f"{build}.making"

    def _create(self) -> None:
        if not self._changed.exists():
            shutil.rmtree(self.path, ignore_errors=True)
            self.path.mkdir()
            # Hard links: files are replaced, never written to, so the pristine ones stay as they are.
            copy = ["cp", "-al", str(self._pristine.path), str(self.path / "src")]
            run_step(copy, label="kernel tree", log=self.log)
            self._changed.touch()

    def _apply(self, series: Sequence[Path]) -> dict[str, bytes | None]:
        """The content after `series` of each file that it touches; None for a file that it removes."""
        scratch = self.path / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        paths = touched(series)
        for path in paths:
            if (self._pristine.path / path).exists():
                (scratch / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self._pristine.path / path, scratch / path)
        for number, patch in enumerate(series, start=1):
            self._apply_one(patch, number, len(series))
        return {path: (scratch / path).read_bytes() if (scratch / path).exists() else None for path in paths}

    def _apply_one(self, patch: Path, number: int, of: int) -> None:
        options = ("-p1", "--fuzz=0", "--batch", "--forward", "--no-backup-if-mismatch")
        command = ["patch", *options, "-i", f"/mnt/series/{patch.name}"]
        done = self.chroot({"series": patch.parent}).attempt(command, cwd=f"{WORK}/scratch")
        if done.returncode:
            say(f"patch says:\n{done.stdout}{done.stderr}".rstrip())
            version = self._pristine.version
            raise LabError(
                f"{patch.name} ({number} of {of}) does not apply to Linux {version}: rebase the series onto it"
            )


def _replace(path: Path, content: bytes | None) -> None:
    """Give a file this content, or remove it; a file that has it already keeps its time stamp."""
    if content is None:
        path.unlink(missing_ok=True)
    elif not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        new = path.with_name(path.name + ".new")
        new.write_bytes(content)
        new.chmod(mode)
        new.rename(path)
