# SPDX-License-Identifier: GPL-2.0-or-later

import re
import subprocess
import sys

import pytest

from reclaimd.kernel import libbpf
from reclaimd.kernel.cfunction import CFunction

FUNCTIONS = {name: value for name, value in vars(libbpf).items() if isinstance(value, CFunction)}


@pytest.mark.usefixtures("needs_libbpf")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_installed_libbpf_has_the_function_and_ctypes_takes_its_hints(name: str) -> None:
    function, _ = FUNCTIONS[name]._bound
    assert function.__name__ == name


@pytest.mark.usefixtures("needs_libbpf")
def test_version() -> None:
    assert re.fullmatch(rb"v1\.\d+", libbpf.libbpf_version_string())


def test_importing_does_not_open_the_library() -> None:
    script = (
        "import reclaimd.backend.choose, reclaimd.kernel.object, reclaimd.kernel.link, reclaimd.kernel.ringbuf, reclaimd.kernel.probe\n"
        "from reclaimd.kernel.libbpf import LIBBPF\n"
        "assert 'handle' not in vars(LIBBPF)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, env={"PYTHONPATH": ":".join(sys.path)})


def test_null_pointers_are_false() -> None:
    assert not libbpf.MapPtr()
    assert libbpf.MapPtr(4096)
