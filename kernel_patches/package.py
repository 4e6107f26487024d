# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian packages of the patched kernel for a real machine."""

import lzma
import os
import shutil
from pathlib import Path

from kernel_patches import kconfig, source
from kernel_patches.series import patches
from tests.lab import CHECKOUT
from tests.lab.cache import locked
from tests.lab.errors import HostError, LabError
from tests.lab.progress import say
from tests.lab.root import root

FRAGMENT = kconfig.CONFIG / "package.config"
SIGNING = kconfig.CONFIG / "signing.config"
RESULTS = CHECKOUT / "build" / "kernel"
DEBIAN_CONFIG = Path("usr/src/linux-config-7.3/config.amd64_none_amd64.xz")
"""In the lab root, from Debian's package of the same source."""
DELIVERED = ("linux-image-*.deb", "linux-headers-*.deb")


def package(config: Path | None) -> list[Path]:
    """Build packages from this configuration, by default the running kernel's; returns them."""
    text = _configuration(config)
    original = source.pristine()
    tree = source.Tree("package", original)
    with locked(tree.path.name):
        tree.patch(patches())
        _configure(tree, text)
        for old in tree.path.glob("*.deb"):
            old.unlink()
        _build(tree, original.version)
        RESULTS.mkdir(parents=True, exist_ok=True)
        found = sorted(path for pattern in DELIVERED for path in tree.path.glob(pattern))
        return [Path(shutil.copy(path, RESULTS)) for path in found]


def _configuration(config: Path | None) -> str:
    running = Path("/boot") / f"config-{os.uname().release}"
    if config is None and not running.exists():
        say(f"configuration: Debian's own for Linux 7.3, as {running} does not exist")
        return lzma.decompress((root() / DEBIAN_CONFIG).read_bytes()).decode()
    chosen = config or running
    try:
        text = chosen.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HostError(f"{chosen} cannot be read as a kernel configuration: {error}") from error
    if not kconfig.parse(text):
        raise LabError(f"{chosen} is no kernel configuration: it has no CONFIG_ line")
    say(f"configuration: {chosen}")
    return text


def _configure(tree: source.Tree, text: str) -> None:
    directory = tree.directory("obj")
    fragments = kconfig.merge([FRAGMENT, SIGNING])
    (directory / ".config").write_text(f"{text}\n{fragments}", encoding="utf-8")
    tree.make("obj", "olddefconfig", label="kernel configuration")
    result = (directory / ".config").read_text(encoding="utf-8")
    lost = lost_options(result)
    if lost:
        raise LabError(f"this configuration cannot carry reclaimd: {'; '.join(map(str, lost))}")
    changed = kconfig.mismatches(text, result)
    report = tree.path / "changed-options"
    report.write_text("".join(f"{option}\n" for option in changed), encoding="utf-8")
    say(f"{len(changed)} options differ from the given configuration: {report}")


def lost_options(result: str) -> list[kconfig.Mismatch]:
    """What a finished configuration lacks that the kernel cannot do without."""
    fragments = [FRAGMENT]
    if kconfig.parse(result).get("MODULE_SIG") == "y":
        fragments.append(SIGNING)
    return kconfig.mismatches(kconfig.merge(fragments), result)


def _build(tree: source.Tree, version: str) -> None:
    settings = (
        f"KDEB_PKGVERSION={version}-1",
        "KDEB_CHANGELOG_DIST=trixie",
        # -d: the root has all that a kernel needs of build-essential, but not the C++ compiler.
        # And the package with debug information takes longer to compress than all others together.
        "DPKG_FLAGS=-d -Ppkg.linux-upstream.nokerneldbg",
    )
    tree.make("obj", *settings, "bindeb-pkg", label="kernel packages")
