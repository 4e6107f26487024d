# SPDX-License-Identifier: GPL-2.0-or-later
"""Which tests run on which kernel, and with which backends; by their marks and their files.

On the patched kernel both backends can be had. What is true of both runs with each of them only where it is about
what they do themselves; the rest runs with `memory.reclaim` on the stock kernel alone, which has nothing else.
"""

import os
from collections.abc import Mapping

import pytest

BPF = "bpf"
MEMORY_RECLAIM = "memory.reclaim"
STOCK = "stock"
#: What the VM boots.
KERNEL = os.environ.get("RECLAIMD_LAB_KERNEL") or "lab"
#: The files whose tests run with both backends on the patched kernel.
BOTH = frozenset({"test_counters", "test_engine", "test_governing", "test_request"})

#: Marks of tests. The argument of the first says what it is that needs the patches.
BPF_ONLY = "bpf_only"
STOCK_ONLY = "stock_only"


def marks(item: pytest.Item) -> dict[str, str]:
    """Return the marks of a test, or of its file, that say what it needs, with the reason if there is one."""
    found = [item.get_closest_marker(name) for name in (BPF_ONLY, STOCK_ONLY)]
    return {mark.name: next(iter(mark.args), "") for mark in found if mark}


def backends(kernel: str, module: str, marks: Mapping[str, str]) -> list[str]:
    """Return the backends that a test runs with.

    Args:
        kernel: what the VM boots.
        module: the name of the test's file, without its suffix.
        marks: the test's.
    """
    if kernel == STOCK or STOCK_ONLY in marks:
        return [MEMORY_RECLAIM]
    return [BPF, MEMORY_RECLAIM] if module in BOTH and BPF_ONLY not in marks else [BPF]


def why_left_out(kernel: str, marks: Mapping[str, str]) -> str | None:
    """Return why a test does not run on a kernel; None if it does."""
    if kernel == STOCK and BPF_ONLY in marks:
        return f"needs the patched kernel: {marks[BPF_ONLY]}"
    if kernel != STOCK and STOCK_ONLY in marks:
        return "runs on the stock kernel: make test-stock"
    return None
