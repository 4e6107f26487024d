# SPDX-License-Identifier: GPL-2.0-or-later
"""`reclaimctl top`: what is reclaimed at the moment, and from whom."""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

from reclaimd.cli.commands import Commands, JsonStyle, print_json
from reclaimd.cli.ctl.connection import Connection, Reply, add_socket
from reclaimd.cli.ctl.state import all_governed, limit_text, usage_text
from reclaimd.cli.table import rounded_bytes, table_lines
from reclaimd.errors import HostError

NS_PER_S = 1_000_000_000
MIN_DELAY_S = 0.1
MAX_DELAY_S = 3600.0
PERCENT = 100
HEADINGS = ("CGROUP", "POLICY", "MODE", "USAGE", "LIMIT", "EPISODES/S", "RECLAIMED/S", "CPU", "DELAYS/S")
#: Lines of the screen that are not for cgroups.
FRAME_LINES = 3


@dataclass(frozen=True, slots=True)
class Activity:
    """What was done for one governed cgroup in the time between two samples, for each second of it.

    Attributes:
        governed: the cgroup, in the later sample.
        cpu_percent: of one CPU, spent in reclaim.
        delay_ms_per_s: delays given, summed over all tasks.
    """

    governed: Reply
    episodes_per_s: float
    reclaimed_bytes_per_s: float
    cpu_percent: float
    delay_ms_per_s: float


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "top",
        _top,
        summary="watch what is reclaimed, from whom and at what cost",
        description=(
            "Shows the governed cgroups, those that most is reclaimed from first, with rates over the last interval. "
            "Interrupt it to end it."
        ),
    )
    parser.add_argument("-b", "--batch", action="store_true", help="print a table each time, as for a pipe")
    parser.add_argument("-n", "--iterations", type=_whole, metavar="N", help="end after so many times")
    parser.add_argument(
        "-d",
        "--delay",
        type=_delay,
        metavar="SECONDS",
        default=1.0,
        help="the interval (default: %(default)g)",
    )
    add_socket(parser)


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number above 0")
    return int(text)


def _delay(text: str) -> float:
    try:
        delay_s = float(text)
    except ValueError:
        delay_s = 0.0
    if not MIN_DELAY_S <= delay_s <= MAX_DELAY_S:
        raise argparse.ArgumentTypeError(f"'{text}' is no number from {MIN_DELAY_S:g} to {MAX_DELAY_S:g}")
    return delay_s


def _top(options: argparse.Namespace) -> int:
    rounds = _rounds(options.socket, options.delay, options.iterations)
    try:
        if options.json or options.batch or not sys.stdout.isatty():
            _print_all(rounds, options.json)
        else:
            _show_live(rounds)
    except KeyboardInterrupt:
        pass
    return os.EX_OK


def _rounds(path: Path, delay_s: float, iterations: int | None) -> Iterator[Sequence[Activity]]:
    with Connection(path) as daemon:
        before, before_s = all_governed(daemon), time.monotonic()
        for _ in range(iterations) if iterations else count():
            time.sleep(delay_s)
            after, after_s = all_governed(daemon), time.monotonic()
            yield activities(before, after, after_s - before_s)
            before, before_s = after, after_s


def activities(before: Sequence[Reply], after: Sequence[Reply], elapsed_s: float) -> list[Activity]:
    """Return what was done between two samples of all governed cgroups, the most reclaimed first."""
    earlier = {governed["cgroup"]: governed.get("counters", {}) for governed in before}
    found = [_activity(earlier.get(governed["cgroup"], {}), governed, elapsed_s) for governed in after]
    return sorted(found, key=lambda one: (-one.reclaimed_bytes_per_s, -one.governed.get("usage_bytes", 0)))


def _activity(earlier: Reply, governed: Reply, elapsed_s: float) -> Activity:
    now = governed.get("counters", {})

    def per_s(name: str) -> float:
        # A cgroup of the same name that was made meanwhile counts from 0 again.
        grown = now.get(name, 0) - earlier.get(name, 0)
        return max(grown, 0) / elapsed_s if earlier else 0.0

    return Activity(
        governed,
        per_s("episodes"),
        per_s("reclaimed_bytes"),
        per_s("reclaim_cpu_ns") / NS_PER_S * PERCENT,
        per_s("delay_ms") + per_s("throttle_ms"),
    )


def row(activity: Activity) -> tuple[str, ...]:
    """Return an activity as the cells below HEADINGS."""
    governed = activity.governed
    return (
        governed["cgroup"],
        governed["policy"],
        governed["mode"],
        usage_text(governed),
        limit_text(governed),
        f"{activity.episodes_per_s:.1f}",
        rounded_bytes(activity.reclaimed_bytes_per_s),
        f"{activity.cpu_percent:.1f}%",
        f"{activity.delay_ms_per_s:.0f}ms",
    )


def _print_all(rounds: Iterator[Sequence[Activity]], style: JsonStyle | None) -> None:
    for number, found in enumerate(rounds):
        if style:
            print_json([asdict(activity) for activity in found], style)
            continue
        if number:
            print()
        print("\n".join(table_lines(HEADINGS, map(row, found))), flush=True)


def _show_live(rounds: Iterator[Sequence[Activity]]) -> None:
    try:
        from rich.live import Live  # noqa: PLC0415  nothing else needs it
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415
    except ImportError:
        raise HostError("a live view needs rich", hint="install python3-rich, or give --batch") from None
    with Live(screen=True, auto_refresh=False) as live:
        for found in rounds:
            table = Table(box=None, pad_edge=False, header_style="reverse")
            for number, heading in enumerate(HEADINGS):
                table.add_column(heading, no_wrap=True, ratio=1 if number == 0 else None)
            for activity in found[: live.console.height - FRAME_LINES]:
                table.add_row(*map(Text, row(activity)))
            live.update(table, refresh=True)
