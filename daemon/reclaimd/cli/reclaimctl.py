# SPDX-License-Identifier: GPL-2.0-or-later
"""The command `reclaimctl`."""

import argparse
import os
import sys
from collections.abc import Sequence

from reclaimd import __version__
from reclaimd.cli.commands import Commands
from reclaimd.cli.ctl import change, check, events, explain, probe, schema, state, top, version
from reclaimd.cli.message import error_line
from reclaimd.errors import ReclaimdError

#: Where commands come from, in the order in which help lists them.
MODULES = (state, events, top, change, explain, check, schema, probe, version)

EXIT_STATUSES = """\
exit status:
   0  done
   1  failed at run time; for reclaim: less was reclaimed than asked for
   2  the command line is wrong
  66  the daemon governs no such cgroup, or has no such policy
  69  no daemon is running; or this host or its kernel cannot do it, `reclaimctl probe` says what is missing
  77  not permitted: to look takes the group reclaimd, to change anything root
  78  the configuration cannot be used
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = make_parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except ReclaimdError as error:
        print(error_line("reclaimctl", error), file=sys.stderr)
        return error.exit_status
    except BrokenPipeError:
        # Whoever read has seen enough; what is left in the buffer must not be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return os.EX_OK
    return status


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line, with every command."""
    parser = argparse.ArgumentParser(
        prog="reclaimctl",
        description="Looks at reclaimd and at what it does, and controls it.",
        epilog=EXIT_STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"reclaimctl {__version__}")
    commands = Commands(parser)
    for module in MODULES:
        module.add(commands)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
