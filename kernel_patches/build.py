# SPDX-License-Identifier: GPL-2.0-or-later
"""The builder: applies the series to Debian's kernel source, and builds, checks or packages the kernel.

Exit status: 0; 1 for a failed step; 2 for a wrong command line; 69 when this host lacks something; 77 without root.
"""

import argparse
import sys
from pathlib import Path

from kernel_patches.check import check
from kernel_patches.kernel import Variant, kernel
from kernel_patches.package import package
from tests.lab.errors import LabError
from tests.lab.progress import say


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python3 -m kernel_patches.build", description=__doc__, formatter_class=formatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    lab = commands.add_parser("kernel", help="build a kernel of the lab, print where it is")
    lab.add_argument("variant", type=Variant, choices=list(Variant), nargs="?", default=Variant.LAB)
    commands.add_parser(
        "check-patches", help="style, warnings, a build after each patch and without our options"
    )
    deb = commands.add_parser("deb", help="package a kernel for a real machine into build/kernel")
    deb.add_argument(
        "--config", type=Path, help="default: the running kernel's in /boot, else Debian's for 7.3"
    )
    return parser


def _do(arguments: argparse.Namespace) -> None:
    match arguments.command:
        case "kernel":
            print(kernel(arguments.variant).path)
        case "check-patches":
            check()
        case "deb":
            print(*package(arguments.config), sep="\n")


def main() -> int:
    """Run one command of the builder."""
    try:
        _do(_parser().parse_args())
    except LabError as error:
        say(f"error: {error}")
        return error.exit_status
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
