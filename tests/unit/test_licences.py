# SPDX-License-Identifier: GPL-2.0-or-later
"""Each file says under which licence it is, itself or in a .license file beside it (as REUSE has it)."""

import re
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
TEXTS = CHECKOUT / "LICENSES"
#: Only these are GPL-2.0-only: what runs in the kernel.
KERNEL = ("bpf_src/", "kernel_patches/linux-7.3/", "tests/kernel/bpf/")


def _files() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout, so what belongs to the project is not known")
    return listed.stdout.splitlines()


def _licences(name: str) -> set[str]:
    beside = CHECKOUT / f"{name}.license"
    text = (beside if beside.exists() else CHECKOUT / name).read_text(errors="replace")
    return set(re.findall(r"SPDX-License-Identifier: ([\w.-]+)", text))


def test_each_file_has_a_licence() -> None:
    bare = [name for name in _files() if not name.startswith("LICENSES/") and not _licences(name)]
    assert bare == []


def test_what_runs_in_the_kernel_is_licensed_as_it_is() -> None:
    files = [name for name in _files() if name.startswith(KERNEL)]
    assert {name for name in files if "GPL-2.0-only" not in _licences(name)} == set()


def test_the_text_of_each_licence_is_there() -> None:
    named = {licence for name in _files() for licence in _licences(name)}
    assert {f"{licence}.txt" for licence in named} == {path.name for path in TEXTS.iterdir()}
