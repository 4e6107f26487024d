# SPDX-License-Identifier: GPL-2.0-or-later
"""When a program for the VM is compiled anew."""

from pathlib import Path

import pytest

from kernel_patches.kernel import Kernel
from tests.lab import programs
from tests.lab.programs import CLANG, GCC, Program


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.setattr(programs, "CHECKOUT", tmp_path)
    source, header = tmp_path / "reclaimd.bpf.c", tmp_path / "reclaimd.h"
    source.write_text("int x;")
    header.write_text("#define A 1")
    return Program(source, tmp_path / "build" / "reclaimd.bpf.o", CLANG, (header,))


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    (tmp_path / "interface").write_text("one")
    return Kernel(tmp_path)


@pytest.mark.parametrize("changed", ["reclaimd.bpf.c", "reclaimd.h", "interface"])
def test_changed_source_header_or_kernel_changes_the_key(
    program: Program, kernel: Kernel, tmp_path: Path, changed: str
) -> None:
    before = program.key(kernel)
    (tmp_path / changed).write_text("other")
    assert program.key(kernel) != before


def test_touched_file_does_not_change_the_key(program: Program, kernel: Kernel) -> None:
    before = program.key(kernel)
    program.source.write_text(program.source.read_text())
    assert program.key(kernel) == before


def test_bpf_program_is_an_object_and_a_helper_is_linked(program: Program) -> None:
    helper = Program(program.source, program.output, GCC, ())
    assert ("-c" in program.command, "-c" in helper.command) == (True, False)
