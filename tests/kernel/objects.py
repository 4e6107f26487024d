# SPDX-License-Identifier: GPL-2.0-or-later
"""The compiled test programs."""

from pathlib import Path

from reclaimd.kernel.object import BpfObject
from tests.kernel.cgroups import CHECKOUT

OBJECTS = CHECKOUT / "build/test-bpf"


def object_path(name: str) -> Path:
    """What tests/kernel/bpf/NAME.bpf.c was compiled to."""
    return OBJECTS / f"{name}.bpf.o"


def loaded(name: str) -> BpfObject:
    """A test program, loaded; to be closed."""
    obj = BpfObject.open(object_path(name))
    try:
        obj.load()
    except OSError:
        obj.close()
        raise
    return obj
