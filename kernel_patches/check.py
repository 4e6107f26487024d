# SPDX-License-Identifier: GPL-2.0-or-later
"""What every patch of the series must pass: style, a build after each patch, no warnings, and configurations without us."""

import re
from collections.abc import Sequence
from pathlib import Path

from kernel_patches import kconfig
from kernel_patches.kernel import Variant, configure
from kernel_patches.series import KERNEL_PATCHES, SERIES, patches, touched
from kernel_patches.source import WORK, Tree, pristine
from tests.lab.cache import locked
from tests.lab.errors import LabError
from tests.lab.progress import say

EXPLAINED = KERNEL_PATCHES / "checkpatch.explained"
"""The kinds of checkpatch messages that the series is right to raise, each with the reason."""
OPTIONAL = ("MEMCG", "CGROUP_BPF", "BPF_SYSCALL")
NOT_BUILT = ("tools/", "samples/", "Documentation/", "scripts/")
WARNING = re.compile(r"^.*\bwarning: .*$", re.MULTILINE)


def check() -> None:
    """Run all checks; raises LabError when one of them finds something."""
    series = patches()
    if not series:
        raise LabError(f"there are no patches in {SERIES}")
    tree = Tree("check", pristine())
    with locked(tree.path.name):
        tree.patch(series)
        _style(tree, series)
        _each_patch(tree, series)
        for option in OPTIONAL:
            _without(tree, series, option)
    say(f"all checks passed for {len(series)} patches")


def _style(tree: Tree, series: Sequence[Path]) -> None:
    explained = [
        line.split()[0] for line in EXPLAINED.read_text(encoding="utf-8").splitlines() if line[:1].isupper()
    ]
    options = [
        "--strict",
        "--show-types",
        "--no-summary",
        "--quiet",
        *(f"--ignore={kind}" for kind in explained),
    ]
    names = [f"/mnt/series/{patch.name}" for patch in series]
    command = ["perl", "scripts/checkpatch.pl", *options, *names]
    done = tree.chroot({"series": SERIES}).attempt(command, cwd=f"{WORK}/src")
    if done.returncode:
        raise LabError(f"checkpatch.pl --strict:\n{done.stdout}{done.stderr}".rstrip())
    say(
        f"checkpatch.pl --strict: {len(series)} patches are clean, leaving out {', '.join(explained) or 'nothing'}"
    )


def _sources(tree: Tree, series: Sequence[Path]) -> list[str]:
    """The C files of the kernel proper that the series touches, as far as the tree has them."""
    return sorted(
        path
        for path in touched(series)
        if path.endswith(".c") and not path.startswith(NOT_BUILT) and (tree.path / "src" / path).exists()
    )


def _build(tree: Tree, build: str, targets: Sequence[str], label: str) -> None:
    """Build; a warning fails it as an error would."""
    log = tree.path / f"{build}.log"
    log.unlink(missing_ok=True)
    tree.make(build, *targets, label=label, log=log)
    warnings = WARNING.findall(log.read_text(encoding="utf-8"))
    if warnings:
        raise LabError("\n".join([f"{label}: the compiler warns", *warnings]))


def _objects(tree: Tree, series: Sequence[Path]) -> list[str]:
    return [path.removesuffix(".c") + ".o" for path in _sources(tree, series)]


def _each_patch(tree: Tree, series: Sequence[Path]) -> None:
    """Every object of the series after every patch, so that a bisection never ends in ours."""
    configure(tree, "each", kconfig.merge(Variant.LAB.fragments))
    for count in range(1, len(series) + 1):
        tree.patch(series[:count])
        _build(tree, "each", ["W=1", *_objects(tree, series)], f"patches 1 to {count}")


def _target(path: str) -> str:
    """What to build for a source file where its object may not be configured.

    Its directory, of which kbuild leaves out what is not; except for kernel/, which is most of the kernel. What the
    series changes right in there belongs to every kernel.
    """
    directory = f"{Path(path).parent}/"
    return path.removesuffix(".c") + ".o" if directory == "kernel/" else directory


def _without(tree: Tree, series: Sequence[Path], option: str) -> None:
    build = f"without-{option.lower()}"
    fragment = kconfig.merge(Variant.LAB.fragments) + f"CONFIG_{option}=n\n"
    if any(lost.name == option for lost in configure(tree, build, fragment)):
        raise LabError(
            f"CONFIG_{option} cannot be turned off in the lab's configuration: something selects it"
        )
    targets = {_target(path) for path in _sources(tree, series)}
    _build(tree, build, sorted(targets), f"CONFIG_{option}=n")
