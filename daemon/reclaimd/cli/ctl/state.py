# SPDX-License-Identifier: GPL-2.0-or-later
"""`reclaimctl status`, `list` and `show`: what is in force, and what it has done."""

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence

from reclaimd.cli.commands import Commands, print_json
from reclaimd.cli.ctl.connection import Connection, Reply, add_socket
from reclaimd.cli.ctl.events import event_text
from reclaimd.cli.ctl.explain import cgroup_path
from reclaimd.cli.table import local_time, rounded_bytes, table_lines

NS_PER_S = 1_000_000_000
US_PER_S = 1_000_000
PERMILLE_PER_PERCENT = 10

#: What is said in status only if it is not 0.
_LOSSES = {
    "dropped_events": "events lost, for the kernel's buffer was full",
    "ungoverned_charges": "charges met no rule",
    "dropped_clients": "clients of this socket had to go to make room for others",
}


#: Columns of policies that are left out where each has this there.
_UNUSUAL = {"NOT PERMITTED": "0", "LACKS": "nothing"}


def add(commands: Commands) -> None:
    """Add the commands."""
    status = commands.add(
        "status",
        _status,
        summary="say what the daemon is and what it has in force",
        description="Says what the daemon is, which policies are in force, and what is wrong.",
    )
    status.add_argument("--names", action="store_true", help="print nothing but the policies' names")
    listed = commands.add(
        "list",
        _list,
        summary="list the governed cgroups",
        description="Lists the governed cgroups, with their usage, thresholds and what has been reclaimed.",
    )
    listed.add_argument("--names", action="store_true", help="print nothing but the cgroups' paths")
    shown = commands.add(
        "show",
        _show,
        summary="show everything about one governed cgroup",
        description="Shows the rule of one governed cgroup, what it has done, and its latest events.",
    )
    shown.add_argument("cgroup", type=cgroup_path, metavar="CGROUP", help="a governed cgroup")
    for parser in (status, listed, shown):
        add_socket(parser)


def _status(options: argparse.Namespace) -> int:
    with Connection(options.socket) as daemon:
        status = daemon.call("Status")
    if options.json:
        print_json(status, options.json)
    elif options.names:
        print(*(policy["name"] for policy in status["policies"]), sep="\n")
    else:
        print("\n".join(_status_lines(status)))
    return os.EX_OK


def _status_lines(status: Reply) -> Iterator[str]:
    started, loaded = local_time(status["started_us"]), local_time(status["loaded_us"])
    yield f"reclaimd {status['version']}, process {status['pid']}, backend {status['backend']}, since {started}"
    yield f"configuration in force since {loaded}, {status['rules']} rules"
    if status["backend_why"]:
        yield f"backend {status['backend']}: {status['backend_why']}"
    for problem in status["reload_problems"]:
        yield f"not reloaded: {problem}"
    for name, text in _LOSSES.items():
        if status[name]:
            yield f"{status[name]} {text}"
    if status["policies"]:
        yield from _policies(status["policies"])


def _policies(policies: Sequence[Reply]) -> Iterator[str]:
    columns = {
        "POLICY": [policy["name"] for policy in policies],
        "MODE": [_mode(policy) for policy in policies],
        "CGROUPS": [str(policy["cgroups"]) for policy in policies],
        "NOT PERMITTED": [str(policy["forbidden_cgroups"]) for policy in policies],
        "LACKS": [", ".join(policy["lacks"]) or "nothing" for policy in policies],
    }
    for heading, usual in _UNUSUAL.items():
        if set(columns[heading]) == {usual}:
            del columns[heading]
    return table_lines(tuple(columns), zip(*columns.values(), strict=True))


def _mode(policy: Reply) -> str:
    return "paused" if policy["paused"] else str(policy["mode"])


def all_governed(daemon: Connection) -> list[Reply]:
    """Return a Governed for each governed cgroup, those of one subtree together."""
    return [governed for reply in daemon.call_more("List") for governed in reply["governed"]]


def _list(options: argparse.Namespace) -> int:
    with Connection(options.socket) as daemon:
        governed = all_governed(daemon)
    if options.json:
        print_json(governed, options.json)
    elif options.names:
        print("".join(f"{one['cgroup']}\n" for one in governed), end="")
    else:
        headings = ("CGROUP", "POLICY", "MODE", "USAGE", "LIMIT", "START", "STOP", "EPISODES", "RECLAIMED")
        print("\n".join(table_lines(headings, map(_row, governed))))
    return os.EX_OK


def _row(governed: Reply) -> tuple[str, ...]:
    counters = governed.get("counters")
    return (
        governed["cgroup"],
        governed["policy"],
        governed["mode"],
        usage_text(governed),
        limit_text(governed),
        governed.get("start", "none"),
        governed.get("stop", "none"),
        str(counters["episodes"]) if counters else "unknown",
        rounded_bytes(counters["reclaimed_bytes"]) if counters else "unknown",
    )


def usage_text(governed: Reply) -> str:
    """Return the usage of a Governed."""
    return rounded_bytes(governed["usage_bytes"]) if "usage_bytes" in governed else "gone"


def limit_text(governed: Reply) -> str:
    """Return the limit of a Governed."""
    return rounded_bytes(governed["limit_bytes"]) if "limit_bytes" in governed else "max"


def _show(options: argparse.Namespace) -> int:
    with Connection(options.socket) as daemon:
        shown = daemon.call("Show", {"cgroup": options.cgroup})
    if options.json:
        print_json(shown, options.json)
    else:
        governed = shown["governed"]
        print(
            f"{governed['cgroup']} is governed by policy '{governed['policy']}', in mode {governed['mode']}"
        )
        figures = dict(_figures(shown))
        width = max(map(len, figures))
        print("\n".join(f"  {name:{width}}  {value}" for name, value in figures.items()))
        for event in shown["events"]:
            print(event_text(event))
    return os.EX_OK


def _figures(shown: Reply) -> Iterator[tuple[str, str]]:
    governed = shown["governed"]
    yield "usage", f"{usage_text(governed)} of {limit_text(governed)}"
    yield "memory.events", _counts(shown["memory_events"])
    if stalled := shown["stalled_us"]:
        yield "stalled", ", ".join(f"{kind} {total / US_PER_S:.3f}s" for kind, total in stalled.items())
    if "bounds" in shown:
        yield "start", governed["start"]
        yield "stop", governed["stop"]
        yield from _bounds(shown["bounds"])
    if pressure := shown.get("back_pressure"):
        start, full = rounded_bytes(pressure["start_bytes"]), rounded_bytes(pressure["full_bytes"])
        yield "back-pressure", f"from {start}, up to {pressure['max_delay_ms']}ms at {full}"
    if protection := shown.get("protection"):
        holds = f"while {protection['condition']}, and {protection['for_ms']}ms longer"
        yield "protection", f"as {protection['protect_as']} {holds}"
    if shown["lacks"]:
        yield "does without", ", ".join(shown["lacks"])
    if counters := governed.get("counters"):
        yield from _done(shown, counters)


def _bounds(bounds: Reply) -> Iterator[tuple[str, str]]:
    if bounds["floor_bytes"]:
        yield "floor", rounded_bytes(bounds["floor_bytes"])
    yield "pass", f"{rounded_bytes(bounds['pass_bytes'])} at most"
    if bounds["rate_bytes_per_s"]:
        yield "rate", f"{rounded_bytes(bounds['rate_bytes_per_s'])}/s at most"
    if bounds["cpu_permille"]:
        yield "CPU", f"{bounds['cpu_permille'] / PERMILLE_PER_PERCENT:g}% at most"


def _done(shown: Reply, counters: Reply) -> Iterator[tuple[str, str]]:
    yield "triggers", _counts(shown["triggers_by_reason"]) or "none"
    yield "episodes", _counts(shown["episodes_by_reason"]) or "none"
    reclaimed, asked = rounded_bytes(counters["reclaimed_bytes"]), rounded_bytes(counters["asked_bytes"])
    cpu_s = counters["reclaim_cpu_ns"] / NS_PER_S
    yield (
        "reclaimed",
        f"{reclaimed} of {asked} asked for, in {counters['passes']} passes and {cpu_s:.3f}s of CPU",
    )
    if counters["held_back"]:
        yield "held back", f"{counters['held_back']} times, for rate or CPU time"
    if counters["write_backs"]:
        yield "write-back", f"asked for {counters['write_backs']} times"
    if counters["swapless"]:
        yield "no room in swap", f"in {counters['swapless']} passes"
    if counters["delays"]:
        yield "delays", f"{counters['delays']}, of {counters['delay_ms']}ms together"
    if counters["refusals"]:
        yield "refused", f"{counters['refusals']} charges that tasks can do without"
    if counters["throttles"]:
        yield "throttled", f"{counters['throttles']} times, for {counters['throttle_ms']}ms together"
    if counters["protections"]:
        yield "protected", f"{counters['protections']} times"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
