# SPDX-License-Identifier: GPL-2.0-or-later
"""The command `reclaimd`."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from reclaimd import __version__
from reclaimd.backend.bpf import detach
from reclaimd.backend.choose import open_chosen
from reclaimd.cgroup.host import find_cgroup_root
from reclaimd.cli.check import check
from reclaimd.cli.message import error_line
from reclaimd.cli.probe import HostReport
from reclaimd.config import DEFAULT_CONFIG, load_config
from reclaimd.errors import ReclaimdError, exit_status
from reclaimd.service.control.address import DEFAULT_PATH
from reclaimd.service.lifecycle import Surroundings, serve
from reclaimd.service.log import stderr_log
from reclaimd.service.manager import ServiceManager

EXIT_STATUSES = """\
exit status:
   0  done; for run: stopped by SIGTERM or SIGINT, with everything detached unless keep_on_stop is true
   1  failed at run time: the port for metrics is in use, say, or memory is short
   2  the command line is wrong
  69  this host or its kernel cannot do it; `reclaimd probe` says what is missing
  77  not permitted; run it as root
  78  the configuration cannot be used
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = make_parser().parse_args(arguments)
    try:
        status: int = options.command(options)
    except ReclaimdError as error:
        print(error_line("reclaimd", error), file=sys.stderr)
        return exit_status(error)
    return status


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line, with every command."""
    parser = argparse.ArgumentParser(
        prog="reclaimd",
        description="Keeps memory cgroups below their limits in the background.",
        epilog=EXIT_STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"reclaimd {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_run(commands.add_parser("run", help="govern until told to stop (SIGTERM or SIGINT)"))
    _add_check(commands.add_parser("check", help="validate a configuration; needs no privileges"))
    _add_detach(
        commands.add_parser("detach", help="take all rules away that a daemon has left in the kernel")
    )
    _add_probe(commands.add_parser("probe", help="say what this host offers and which backend it can run"))
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=DEFAULT_CONFIG,
        help="the configuration (default: %(default)s)",
    )
    parser.add_argument(
        "--socket",
        type=Path,
        metavar="PATH",
        default=DEFAULT_PATH,
        help="where reclaimctl finds it (default: %(default)s)",
    )
    parser.set_defaults(command=_run)


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Prints every mistake in the file and, where cgroup2 can be read, what the policies come to."
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the configuration")
    parser.add_argument(
        "--cgroup-root",
        type=Path,
        metavar="DIR",
        help="a tree of cgroups to resolve the policies for (default: where cgroup2 is mounted)",
    )
    parser.add_argument(
        "--file-only",
        action="store_true",
        help="print nothing but mistakes in the file, which are what would keep it from being loaded",
    )
    parser.set_defaults(command=_check)


def _add_detach(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Removes whatever a reclaimd of any version has left in the kernel, after a crash or with keep_on_stop."
        " Refused while a daemon runs."
    )
    parser.set_defaults(command=_detach)


def _add_probe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=_probe)


def _check(options: argparse.Namespace) -> int:
    if options.file_only:
        load_config(options.file)
        return 0
    return check(options.file, options.cgroup_root)


def _run(options: argparse.Namespace) -> int:
    load = partial(load_config, options.config)
    loaded = load()
    with stderr_log(loaded.config.log) as log:
        manager = ServiceManager.of_environment()
        surroundings = Surroundings(find_cgroup_root(), options.socket, log, manager)
        serve(loaded, load, partial(open_chosen, loaded.config.backend), surroundings)
    return 0


def _detach(_options: argparse.Namespace) -> int:
    print("detached" if detach() else "nothing was attached")
    return os.EX_OK


def _probe(options: argparse.Namespace) -> int:
    report = HostReport.of_this_host()
    print(json.dumps(report.as_dict(), indent=2) if options.json else "\n".join(report.text_lines()))
    return report.exit_status
