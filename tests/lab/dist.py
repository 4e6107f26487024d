# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages of the daemon, each built in the lab root with nothing but what Debian has, into build/NAME."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.lab import source_tree
from tests.lab.chroot import Chroot
from tests.lab.errors import LabError
from tests.lab.programs import BUILD
from tests.lab.root import root


@dataclass(frozen=True)
class Dist:
    """One kind of package.

    Attributes:
        name: of the kind, and of its directory in build/.
        pattern: what the package is called.
        arrange: puts the sources, given their directory, as the tool wants them.
        command: builds it, in that directory.
    """

    name: str
    pattern: str
    arrange: Callable[[Path], None]
    command: tuple[str, ...]

    @property
    def directory(self) -> Path:
        """Where it is built; holds the package, the sources and a log."""
        return BUILD / self.name

    def package(self) -> Path:
        """The package; built when it is not of what there is now."""
        source_tree.prepare()
        key, stamp = source_tree.source_key(str(root()), *self.command), self.directory / ".key"
        if not (stamp.exists() and stamp.read_text(encoding="utf-8") == key):
            self._build()
            stamp.write_text(key, encoding="utf-8")
        return self.one(self.pattern)

    def one(self, pattern: str) -> Path:
        """The one file of this name that was built."""
        found = list(self.directory.glob(pattern))
        if len(found) != 1:
            raise LabError(f"{self.directory} holds {len(found)} files {pattern}, not one: remove it")
        return found[0]

    def inside(self) -> Chroot:
        """The lab root, with the directory at /mnt/build."""
        return Chroot(root(), {"build": self.directory})

    def _build(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        source = self.directory / "source"
        source_tree.export(source)
        self.arrange(source)
        log = self.directory / "build.log"
        self.inside().step(self.command, cwd="/mnt/build/source", label=f"{self.name} package", log=log)


def _for_dpkg(source: Path) -> None:
    (source / "packaging" / "debian").rename(source / "debian")


def _for_rpm(source: Path) -> None:
    """Leave the sources where they are: the spec file is told where."""


def _for_wheel(source: Path) -> None:
    # A venv has no other place for it that the package could know of.
    (source / source_tree.EXPORTED_OBJECT).rename(source / "daemon" / "reclaimd" / source_tree.OBJECT.name)


DEB = Dist(
    "deb",
    "*.deb",
    _for_dpkg,
    # Of build-essential, a C++ compiler is not in the root, and nothing is compiled by one.
    ("dpkg-buildpackage", "-b", "-us", "-uc", "--ignore-builtin-builddeps"),
)
RPM = Dist(
    "rpm",
    "*.rpm",
    _for_rpm,
    # What it requires to build is there as Debian's packages, of which rpm knows nothing.
    (
        *("rpmbuild", "-bb", "--nodeps", "--build-in-place", "packaging/rpm/reclaimd.spec"),
        *("--define", "_topdir /mnt/build/rpmbuild", "--define", "_tmppath /tmp"),
        *("--define", "_rpmdir /mnt/build"),
        *("--define", "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm"),
    ),
)
WHEEL = Dist(
    "wheel",
    "*.whl",
    _for_wheel,
    ("python3", "-m", "build", "--wheel", "--no-isolation", "--outdir", "/mnt/build"),
)
KINDS = {dist.name: dist for dist in (DEB, RPM, WHEEL)}


def lintian() -> str:
    """What lintian says of the Debian package, from warnings on; empty if nothing."""
    DEB.package()
    command = [
        "lintian",
        "--allow-root",
        "--fail-on=none",
        "--tag-display-limit=0",
        DEB.one("*.changes").name,
    ]
    return DEB.inside().output(command, cwd="/mnt/build")
