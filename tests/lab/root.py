# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian trixie root that everything is built in and that the VM boots from."""

import re
from pathlib import Path

from tests.lab import apt
from tests.lab.cache import build_once, cache_dir, content_key
from tests.lab.chroot import PRIVATE, need_root
from tests.lab.errors import LabError
from tests.lab.progress import run_step

SUITES = ("trixie", "trixie-updates", "trixie-backports")
KERNEL_SOURCE = "linux-source-7.3"
PACKAGES = Path(__file__).with_name("packages")
LEFT_OUT = (
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/gtk-doc/*",
)


def packages() -> list[str]:
    """The names in the file `packages`, sorted."""
    lines = PACKAGES.read_text(encoding="utf-8").splitlines()
    return sorted(filter(None, (line.partition("#")[0].strip() for line in lines)))


def _recipe() -> list[str]:
    """What the root consists of, as options of mmdebstrap: the same on every machine."""
    return [
        *("--variant=essential", "--format=directory"),
        *(f"--include={name}" for name in packages()),
        *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
    ]


def root() -> Path:
    """The root's directory, made by mmdebstrap from the machine's own mirror when the cache does not hold it."""
    return build_once("root", content_key(*SUITES, *_recipe()), _build) / "rootfs"


def _build(entry: Path) -> None:
    need_root()
    options = [f"--aptopt={line}" for line in apt.fetch_options()]
    sources = [f"deb {apt.mirror()} {suite} main" for suite in SUITES]
    command = ["mmdebstrap", "--mode=root", *_recipe(), *options, SUITES[0], str(entry / "rootfs"), *sources]
    run_step([*PRIVATE, *command], label="Debian trixie root", log=cache_dir() / "root.log")


def source_version(rootfs: Path) -> str:
    """The version of Debian's kernel source package in the root, such as 7.3.4-1~bpo13+1."""
    status = (rootfs / "var/lib/dpkg/status").read_text(encoding="utf-8")
    found = re.search(
        rf"^Package: {re.escape(KERNEL_SOURCE)}\n(?:.+\n)*?Version: (\S+)$", status, re.MULTILINE
    )
    if found is None:
        raise LabError(
            f"{KERNEL_SOURCE} is not installed in {rootfs}: remove that directory's entry and run again"
        )
    return found[1]
