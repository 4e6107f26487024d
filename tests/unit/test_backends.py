# SPDX-License-Identifier: GPL-2.0-or-later
"""Which system tests run on which kernel, and with what."""

import pytest

from tests.backends import BPF, MEMORY_RECLAIM, backends, why_left_out

DELAYS = {"bpf_only": "delays of charges"}
STOCK_ONLY = {"stock_only": ""}


@pytest.mark.parametrize(
    ("kernel", "module", "marks", "chosen"),
    [
        ("lab", "test_engine", {}, [BPF, MEMORY_RECLAIM]),
        ("lab", "test_engine", DELAYS, [BPF]),
        ("lab", "test_control", {}, [BPF]),
        ("debug", "test_engine", {}, [BPF, MEMORY_RECLAIM]),
        ("stock", "test_engine", {}, [MEMORY_RECLAIM]),
        ("stock", "test_control", {}, [MEMORY_RECLAIM]),
        ("lab", "test_memory_reclaim", STOCK_ONLY, [MEMORY_RECLAIM]),
    ],
)
def test_a_tests_backends(kernel: str, module: str, marks: dict[str, str], chosen: list[str]) -> None:
    assert backends(kernel, module, marks) == chosen


def test_what_is_left_out_says_why() -> None:
    assert why_left_out("stock", DELAYS) == "needs the patched kernel: delays of charges"
    assert why_left_out("lab", STOCK_ONLY) == "runs on the stock kernel: make test-stock"


@pytest.mark.parametrize(("kernel", "marks"), [("lab", DELAYS), ("stock", STOCK_ONLY), ("stock", {})])
def test_all_else_runs(kernel: str, marks: dict[str, str]) -> None:
    assert why_left_out(kernel, marks) is None
