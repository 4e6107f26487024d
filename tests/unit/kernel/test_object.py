# SPDX-License-Identifier: GPL-2.0-or-later

import errno
from pathlib import Path

import pytest

from reclaimd.kernel.object import BpfObject, BpfObjectError

pytestmark = pytest.mark.usefixtures("needs_libbpf")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BpfObjectError, match=r"No such file or directory: '.*none\.bpf\.o'") as caught:
        BpfObject.open(tmp_path / "none.bpf.o")
    assert caught.value.errno == errno.ENOENT


def test_file_that_is_no_object_is_told_in_libbpfs_words(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("no ELF")
    with pytest.raises(BpfObjectError, match="format invalid") as caught:
        BpfObject.open(path)
    assert caught.value.verdict == f"elf: '{path}' is not a proper ELF object"
    assert caught.value.verdict in caught.value.log
    assert caught.value.__notes__ == [caught.value.log]


def test_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    with pytest.raises(BpfObjectError):
        BpfObject.open(path)


VERIFIER_LOG = """\
libbpf: prog 'charged': BPF program load failed: Permission denied
libbpf: prog 'charged': -- BEGIN PROG LOAD LOG --
0: R1=ctx() R10=fp0
invalid bpf_context access off=16 size=8
processed 7 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
-- END PROG LOAD LOG --
libbpf: prog 'charged': failed to load: -13
libbpf: failed to load object '/some/where.bpf.o'
"""


@pytest.mark.parametrize(
    ("log", "verdict"),
    [
        (VERIFIER_LOG, "invalid bpf_context access off=16 size=8"),
        ("libbpf: struct_ops ops: not found\nlibbpf: failed to load object 'x'", "struct_ops ops: not found"),
        ("", "Permission denied"),
    ],
)
def test_verdict_is_the_line_that_says_what_is_wrong(log: str, verdict: str) -> None:
    error = BpfObjectError(PermissionError(errno.EACCES, "said elsewhere"), Path("x"), log.splitlines())
    assert error.verdict == verdict


def test_log_is_cut_to_its_end() -> None:
    lines = [f"line {number}" for number in range(100)]
    error = BpfObjectError(OSError(errno.EINVAL, ""), Path("x"), lines)
    assert error.log.splitlines() == lines[-20:]
