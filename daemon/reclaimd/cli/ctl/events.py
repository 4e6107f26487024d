# SPDX-License-Identifier: GPL-2.0-or-later
"""`reclaimctl events`: episodes and protections, those of late and those to come."""

import argparse
import os
from collections.abc import Iterable

from reclaimd.cli.commands import Commands, JsonStyle, print_json
from reclaimd.cli.ctl.connection import Connection, Reply, add_socket
from reclaimd.cli.table import local_time, rounded_bytes

DEFAULT_LINES = 10
MAX_LINES = 64
NS_PER_MS = 1_000_000


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "events",
        _events,
        summary="show the latest episodes and protections, or follow them",
        description="Shows the latest episodes and protections, a line for each; with --follow, those to come too.",
    )
    parser.add_argument(
        "-f", "--follow", action="store_true", help="go on with what happens, until interrupted"
    )
    parser.add_argument(
        "-n",
        "--lines",
        type=_lines,
        metavar="N",
        default=DEFAULT_LINES,
        help=f"how many of the latest, up to {MAX_LINES} (default: %(default)s)",
    )
    add_socket(parser)


def _lines(text: str) -> int:
    if not text.isdecimal() or int(text) > MAX_LINES:
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 0 to {MAX_LINES}")
    return int(text)


def _events(options: argparse.Namespace) -> int:
    with Connection(options.socket) as daemon:
        if not options.follow:
            _print(daemon.call("Events", {"last": options.lines})["events"], options.json)
            return os.EX_OK
        try:
            for reply in daemon.call_more("Events", {"last": options.lines}, waits=True):
                if reply["lost"] and not options.json:
                    print(f"{reply['lost']} events came too fast")
                _print(reply["events"], options.json)
        except KeyboardInterrupt:
            pass
    return os.EX_OK


def _print(events: Iterable[Reply], style: JsonStyle | None) -> None:
    for event in events:
        if style:
            print_json(event, style)
        else:
            print(event_text(event), flush=True)


def event_text(event: Reply) -> str:
    """Return an Event as a line."""
    about = f"{local_time(event['time_us'])} {event['cgroup'] or 'a former cgroup'}"
    if episode := event.get("episode"):
        return f"{about}: {episode_text(episode)}"
    return f"{about}: protected for {event['protected_for']}"


def episode_text(episode: Reply) -> str:
    """Return an Episode in words."""
    reclaimed = rounded_bytes(episode["reclaimed_bytes"])
    before, after = rounded_bytes(episode["usage_before_bytes"]), rounded_bytes(episode["usage_after_bytes"])
    took_ms = episode["duration_ns"] / NS_PER_MS
    return (
        f"reclaimed {reclaimed} in {episode['passes']} passes and {took_ms:.1f}ms, from {before} to {after};"
        f" started for {episode['started_for']}, ended for {episode['reason']}"
    )
