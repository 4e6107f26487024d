# SPDX-License-Identifier: GPL-2.0-or-later
"""`reclaimctl probe`."""

import argparse
import os

from reclaimd.cli.commands import Commands, print_json
from reclaimd.kernel.probe import probe


def add(commands: Commands) -> None:
    """Add the command."""
    commands.add(
        "probe",
        _probe,
        summary="say what this host offers and what is missing to run",
        description="Looks for everything in this host and its kernel that reclaimd builds on.",
    )


def _probe(options: argparse.Namespace) -> int:
    report = probe()
    if options.json:
        print_json(report.as_dict(), options.json)
    else:
        print(report.as_text())
    error = report.error()
    return error.exit_status if error else os.EX_OK
