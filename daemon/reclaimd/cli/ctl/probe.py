# SPDX-License-Identifier: GPL-2.0-or-later
"""`reclaimctl probe`."""

import argparse

from reclaimd.cli.commands import Commands, print_json
from reclaimd.cli.probe import HostReport


def add(commands: Commands) -> None:
    """Add the command."""
    commands.add(
        "probe",
        _probe,
        summary="say what this host offers and which backend it can run",
        description="Looks for everything in this host and its kernel that reclaimd's backends build on.",
    )


def _probe(options: argparse.Namespace) -> int:
    report = HostReport.of_this_host()
    if options.json:
        print_json(report.as_dict(), options.json)
    else:
        print("\n".join(report.text_lines()))
    return report.exit_status
