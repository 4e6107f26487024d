# SPDX-License-Identifier: GPL-2.0-or-later
"""`reclaimctl schema`: the JSON schema of the configuration."""

import argparse
import os

from reclaimd.cli.commands import Commands, print_json
from reclaimd.config.schema import config_schema, schema_text


def add(commands: Commands) -> None:
    """Add the command."""
    commands.add(
        "schema",
        _schema,
        summary="print the JSON schema of the configuration",
        description=(
            "Prints the JSON schema (draft 7) of the configuration, for editors and for programs that make "
            "configurations."
        ),
    )


def _schema(options: argparse.Namespace) -> int:
    if options.json:
        print_json(config_schema(), options.json)
    else:
        print(schema_text(), end="")
    return os.EX_OK
