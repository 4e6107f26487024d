# SPDX-License-Identifier: GPL-2.0-or-later
"""`reclaimctl version`."""

import argparse
import os

from reclaimd import __version__
from reclaimd.cli.commands import Commands, print_json


def add(commands: Commands) -> None:
    """Add the command."""
    commands.add(
        "version",
        _version,
        summary="print the version",
        description="Prints the version of reclaimctl.",
    )


def _version(options: argparse.Namespace) -> int:
    if options.json:
        print_json({"version": __version__}, options.json)
    else:
        print(f"reclaimctl {__version__}")
    return os.EX_OK
