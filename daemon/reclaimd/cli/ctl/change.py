# SPDX-License-Identifier: GPL-2.0-or-later
"""`reclaimctl reload`, `pause`, `resume` and `reclaim`: what only root may do."""

import argparse
import os

from reclaimd.cli.commands import Commands, print_json
from reclaimd.cli.ctl.connection import Connection, Reply, add_socket
from reclaimd.cli.ctl.events import event_text
from reclaimd.cli.ctl.explain import cgroup_path
from reclaimd.config.bad_value import BadValueError
from reclaimd.config.units import Size, parse_size

#: When an episode ends before it has what was asked for.
EX_SHORT = 1


def add(commands: Commands) -> None:
    """Add the commands."""
    reload = commands.add(
        "reload",
        _reload,
        summary="load the configuration anew",
        description=(
            "Has the daemon load its configuration anew. If there is anything wrong with it, that is said with file, "
            "line and column, and the configuration that is in force stays."
        ),
    )
    pause = commands.add(
        "pause",
        _pause,
        summary="have a policy, or all, only decide and count",
        description=(
            "Puts the rules of a policy, or of all of them, in mode monitor until they are resumed: they decide and "
            "count, and do nothing. It survives reloads, but not a restart of the daemon."
        ),
    )
    resume = commands.add(
        "resume",
        _resume,
        summary="end a pause",
        description="Has a policy, or all of them, carried out again.",
    )
    for parser in (pause, resume):
        parser.add_argument(
            "policy", nargs="?", metavar="POLICY", help="a policy's name (default: all policies)"
        )
    reclaim = commands.add(
        "reclaim",
        _reclaim,
        summary="reclaim from a governed cgroup now",
        description=(
            "Begins one episode for a governed cgroup and waits for its end: when so much is reclaimed, at the "
            "policy's floor, or when passes bring nothing. Exit status 1 says that it was less than asked for."
        ),
    )
    reclaim.add_argument("cgroup", type=cgroup_path, metavar="CGROUP", help="a governed cgroup")
    reclaim.add_argument("size", type=_size, metavar="SIZE", help="how much, such as 64MiB")
    for parser in (reload, pause, resume, reclaim):
        add_socket(parser)


def _reload(options: argparse.Namespace) -> int:
    return _changed(options, "Reload", {})


def _pause(options: argparse.Namespace) -> int:
    return _changed(options, "Pause", {"policy": options.policy})


def _resume(options: argparse.Namespace) -> int:
    return _changed(options, "Resume", {"policy": options.policy})


def _changed(options: argparse.Namespace, method: str, parameters: Reply) -> int:
    """Call a method that changes something; as JSON, print the status after it."""
    with Connection(options.socket) as daemon:
        daemon.call(method, parameters)
        if options.json:
            print_json(daemon.call("Status"), options.json)
    return os.EX_OK


def _reclaim(options: argparse.Namespace) -> int:
    with Connection(options.socket) as daemon:
        wanted = {"cgroup": options.cgroup, "size_bytes": options.size.size_bytes}
        reply = daemon.call("Reclaim", wanted, waits=True)
    event = reply["event"]
    if options.json:
        print_json(event, options.json)
    else:
        print(event_text(event))
    return os.EX_OK if event["episode"]["reason"] == "reclaimed" else EX_SHORT


def _size(text: str) -> Size:
    try:
        return parse_size(text)
    except BadValueError as error:
        hint = f"; {error.hint}" if error.hint else ""
        raise argparse.ArgumentTypeError(f"{error}{hint}") from None
