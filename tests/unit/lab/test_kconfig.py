# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel configurations, as the builder reads and checks them."""

from pathlib import Path

from kernel_patches.kconfig import Mismatch, merge, mismatches, parse
from kernel_patches.kernel import Variant
from kernel_patches.series import patches


def test_both_ways_to_leave_an_option_out_mean_n() -> None:
    assert parse("# CONFIG_A is not set\nCONFIG_B=n\nCONFIG_C=y\n") == {"A": "n", "B": "n", "C": "y"}


def test_comments_and_strings_are_read_as_kconfig_does() -> None:
    assert parse('# CONFIG_A=y was better\nCONFIG_NAME="a b"\n') == {"NAME": '"a b"'}


def test_later_fragment_wins(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("CONFIG_A=y\nCONFIG_B=y\n")
    second.write_text("# CONFIG_A is not set\n")
    assert parse(merge([first, second])) == {"A": "n", "B": "y"}


def test_lost_option_is_found() -> None:
    asked = "CONFIG_KEPT=y\nCONFIG_LOST=y\nCONFIG_OFF=n\n"
    assert mismatches(asked, "CONFIG_KEPT=y\n") == [Mismatch("LOST", "y", "n")]


def test_option_that_should_be_off_but_is_on_is_found() -> None:
    (found,) = mismatches("CONFIG_OFF=n\n", "CONFIG_OFF=m\n")
    assert str(found) == "CONFIG_OFF=n became m"


def test_unpatched_kernel_is_the_lab_kernel_without_the_series() -> None:
    assert Variant.UNPATCHED.fragments == Variant.LAB.fragments
    assert (Variant.UNPATCHED.series, Variant.LAB.series) == ([], patches())
    assert patches()


def test_debug_kernel_is_the_lab_kernel_with_checkers() -> None:
    lab, debug = parse(merge(Variant.LAB.fragments)), parse(merge(Variant.DEBUG.fragments))
    assert {name for name in lab if lab[name] != debug[name]} == {"LOCALVERSION"}
    assert {name: debug[name] for name in ("KASAN", "PROVE_LOCKING", "DEBUG_ATOMIC_SLEEP")} == {
        "KASAN": "y",
        "PROVE_LOCKING": "y",
        "DEBUG_ATOMIC_SLEEP": "y",
    }
