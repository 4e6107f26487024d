# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernels that the lab boots: built once for each state of the series and of their configuration."""

import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from kernel_patches import kconfig, source
from kernel_patches.series import patches
from tests.lab.cache import build_once, content_key, locked
from tests.lab.errors import LabError
from tests.lab.progress import say

COLLECT = f"""
    strip --strip-debug -o {source.WORK}/out/vmlinux vmlinux
    bpftool btf dump file vmlinux format c > {source.WORK}/out/vmlinux.h
    make -s -C {source.WORK}/src O={source.WORK}/obj headers_install INSTALL_HDR_PATH={source.WORK}/out/uapi
"""


class Variant(StrEnum):
    """Which kernel."""

    LAB = "lab"
    DEBUG = "debug"
    UNPATCHED = "unpatched"
    """As the lab's, without the series: what the patches cost is measured beside it."""

    @property
    def fragments(self) -> list[Path]:
        """The configuration, over allnoconfig."""
        names = ["lab.config", "debug.config"] if self is Variant.DEBUG else ["lab.config"]
        return [kconfig.CONFIG / name for name in names]

    @property
    def series(self) -> list[Path]:
        """The patches that it has."""
        return [] if self is Variant.UNPATCHED else patches()


@dataclass(frozen=True)
class Kernel:
    """A built kernel in the cache."""

    path: Path

    @property
    def bz_image(self) -> Path:
        """What QEMU boots."""
        return self.path / "bzImage"

    @property
    def vmlinux(self) -> Path:
        """Symbols and BTF, without DWARF."""
        return self.path / "vmlinux"

    @property
    def headers(self) -> Path:
        """The directory of vmlinux.h, all of the kernel's types for BPF programs."""
        return self.path / "btf"

    @property
    def uapi(self) -> Path:
        """The include directory of this kernel's user-space interface."""
        return self.path / "uapi" / "include"

    @property
    def interface(self) -> str:
        """Changes when vmlinux.h or a header of the user-space interface does, and only then."""
        return (self.path / "interface").read_text(encoding="utf-8")

    @property
    def release(self) -> str:
        """What uname -r says in it."""
        return (self.path / "release").read_text(encoding="utf-8").strip()


def kernel(variant: Variant) -> Kernel:
    """The kernel in this variant, built when the cache does not hold it."""
    original = source.pristine()
    recipe = (str(source.REPRODUCIBLE), COLLECT)
    key = content_key(original.package, *variant.series, *variant.fragments, *recipe)
    return Kernel(build_once(f"kernel-{variant}", key, lambda entry: _build(variant, original, entry)))


def configure(tree: source.Tree, build: str, fragment: str) -> list[kconfig.Mismatch]:
    """Write the build directory's .config from `fragment` over allnoconfig; returns the options that were lost."""
    directory = tree.directory(build)
    (directory / "fragment").write_text(fragment, encoding="utf-8")
    settings = f"KCONFIG_ALLCONFIG={source.WORK}/{build}/fragment"
    tree.make(build, settings, "allnoconfig", label="kernel configuration")
    return kconfig.mismatches(fragment, (directory / ".config").read_text(encoding="utf-8"))


def _build(variant: Variant, original: source.Pristine, entry: Path) -> None:
    tree = source.Tree(variant, original)
    with locked(tree.path.name):
        series = variant.series
        say(f"building Linux {original.version} with {len(series)} patches, variant {variant}")
        tree.patch(series)
        lost = configure(tree, "obj", kconfig.merge(variant.fragments))
        if lost:
            what = "; ".join(map(str, lost))
            raise LabError(f"the kernel's dependencies do not allow its configuration for the lab: {what}")
        tree.make("obj", "bzImage", label=f"{variant} kernel")
        _collect(tree, entry)


def _collect(tree: source.Tree, entry: Path) -> None:
    built = tree.directory("obj")
    out = tree.directory("out")
    tree.chroot().step(
        ["sh", "-euc", COLLECT], cwd=f"{source.WORK}/obj", label="kernel headers and BTF", log=tree.log
    )
    (entry / "btf").mkdir()
    (out / "vmlinux.h").rename(entry / "btf" / "vmlinux.h")
    (out / "vmlinux").rename(entry / "vmlinux")
    (out / "uapi").rename(entry / "uapi")
    shutil.copyfile(built / "arch/x86/boot/bzImage", entry / "bzImage")
    headers = sorted((entry / "uapi").rglob("*.h"))
    (entry / "interface").write_text(content_key(entry / "btf" / "vmlinux.h", *headers), encoding="utf-8")
    shutil.copyfile(built / ".config", entry / "config")
    shutil.copyfile(built / "include/config/kernel.release", entry / "release")
