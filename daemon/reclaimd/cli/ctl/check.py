# SPDX-License-Identifier: GPL-2.0-or-later
"""`reclaimctl check`."""

import argparse
from pathlib import Path

from reclaimd.cli.check import check, check_as_dict
from reclaimd.cli.commands import Commands, print_json


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "check",
        _check,
        summary="validate a configuration; needs no privileges",
        description="Prints every mistake in the file and, where cgroup2 can be read, what the policies come to.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the configuration")
    parser.add_argument(
        "--cgroup-root",
        type=Path,
        metavar="DIR",
        help="a tree of cgroups to resolve the policies for (default: where cgroup2 is mounted)",
    )


def _check(options: argparse.Namespace) -> int:
    if not options.json:
        return check(options.file, options.cgroup_root)
    report, status = check_as_dict(options.file, options.cgroup_root)
    print_json(report, options.json)
    return status
