# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/benchmarks.md, written from report.json and from nothing else.

python3 -m tests.bench.document build/bench/report.json docs/benchmarks.md
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.experiment import WORKLOADS, Mode, Workload
from tests.bench.marks import Value, best_mode, marks, ratio
from tests.bench.report import Run, run_from_json
from tests.bench.table import by_mode

LOSSES: tuple[tuple[str, Value], ...] = (
    ("stall (PSI some)", lambda run: run.psi_some_us),
    ("wall time", lambda run: run.wall_s),
    ("p99.9", lambda run: run.ops_p999_us),
    ("the neighbour's p99.9", lambda run: run.neighbour_p999_us),
    ("CPU time of the cgroup", lambda run: run.cgroup_cpu_s),
    ("CPU time of whoever reclaims", lambda run: run.reclaim_cpu_s),
)

HEAD = """<!-- SPDX-License-Identifier: GPL-2.0-or-later -->
<!-- Written by tests/bench/document.py from a report of make bench: do not edit. -->
# Benchmarks

reclaimd beside what else keeps a cgroup below its limit, on the same workloads: `make bench`. In every mode reclaim
is to start at 75 % of `memory.max` and to stop at 68.75 %, where the mode knows such thresholds, and the cgroups are
equally deep. The modes take turns, each turn beginning with another one. Figures are medians, with the range of all
runs in brackets; only figures of one workload are comparable, as the machine is not equally fast all the time.
"""

MODES = """
## Modes

* **none**: nothing but `memory.max`.
* **memory.high**: `memory.high` where reclaim is to start.
* **loop-1ms**, **loop-100ms**: a C program that polls `memory.current`, and writes all that is to go to
  `memory.reclaim` ([loop.c](../tests/bench/loop.c)). Its CPU time includes the polling.
* **oomd**: Debian's oomd, whose senpai plugin moves `memory.high` between stop and start by the pressure it sees, once a
  second.
* **damon**: a DAMOS pageout scheme for the cgroup's pages, whose quota is nothing once the cgroup is down to stop.
* **reclaimd-no-back-pressure**, **reclaimd**: the daemon, without and with back-pressure from 87.5 % on. The CPU time is
  the daemon's and that of the kernel's workers.

## Workloads

* **file N**: writes N MiB in 4 KiB writes and reads them twice through a mapping; 32 MiB, no swap.
* **anon N**: faults in N MiB and rewrites them once, incompressible, 32 MiB; swap is zram, here and below.
* **burst**: idle, then 8 MiB/s allocated for a second each, then six times that, and 8 MiB/s again; 32 MiB.
* **fork**: 16 processes of *anon 8* in one cgroup of 32 MiB.
* **cgroups**: 64 processes of *file 6* at once, each in a cgroup of 4 MiB.
* **compile**: gcc compiles libfdt, two files at once, in 60 % of what it needs at its peak.
* **redis**: a Redis server with 16,000 values of 1 KiB is asked for 400 of them a second, beside *file 128* in a common
  parent of 48 MiB. A request takes from the moment that it was due.

`max events` and `OOM kills` are the cgroup's `memory.events`, `PSI some` is the total of its `memory.pressure`. Percentiles
are of single operations: accesses to a page, allocations of 64 KiB in *burst*, requests in *redis*.
"""


def document(report: Mapping[str, Any]) -> str:
    """Return the text of docs/benchmarks.md."""
    runs = [run_from_json(fields) for fields in report["runs"]]
    done = [workload for workload in WORKLOADS if any(run.name == str(workload) for run in runs)]
    parts = [HEAD, _conditions(report, runs), MODES, "\n## Results\n"]
    parts += [_results(report, runs, workload) for workload in done]
    parts.append(_reaction(report))
    parts.append(
        "\n## Marks\n\nRatios are of medians; in brackets the range of the ratios of runs of one turn.\n"
    )
    rows = [["mark", "figure", "reached"]]
    rows += [
        [f"{mark.number}. {mark.claim}", mark.figures, mark.word]
        for mark in marks(runs, done, report.get("reaction"))
    ]
    parts += ["\n", _markdown(rows), "\n## Where reclaimd loses\n\n"]
    losses = list(_losses(runs, done))
    parts.append("".join(f"* {loss}\n" for loss in losses) or "Nowhere in these runs.\n")
    return "".join(parts)


def _conditions(report: Mapping[str, Any], runs: Sequence[Run]) -> str:
    times = max((run.run for run in runs), default=0)
    return (
        f"\n{report['date']}, Linux {report['kernel']}, {report['machine']}, QEMU with {report['accel'].upper()}; "
        f"{times} {'run' if times == 1 else 'runs'} of each workload in each mode.\n"
    )


def _results(report: Mapping[str, Any], runs: Sequence[Run], workload: Workload) -> str:
    skips = "".join(
        f"\n{skip['mode']} could not run: {skip['reason']}.\n"
        for skip in report.get("skipped", [])
        if skip["workload"] == str(workload)
    )
    return f"\n### {workload}\n\n{_markdown(by_mode(runs, workload, list(Mode)))}{skips}"


def _reaction(report: Mapping[str, Any]) -> str:
    text = ""
    if reaction := report.get("reaction"):
        rows = [["", "triggers", "p50 below, us", "p99 below, us"]]
        for name, title in (("cpu_idle", "the other CPU idle"), ("both_busy", "both CPUs busy")):
            got = reaction[name]
            rows.append([title, str(got["count"]), *(f"{got[key]:g}" for key in ("p50_us", "p99_us"))])
        text += "\n### Reaction\n\nFrom the charge that crosses start to the end of the pass with the first page, in "
        text += f"buckets that grow fourfold.\n\n{_markdown(rows)}"
    return text


def _losses(runs: Sequence[Run], workloads: Sequence[Workload]) -> Iterator[str]:
    for workload in workloads:
        for what, value in LOSSES:
            best = best_mode(runs, workload, value)
            got = ratio(runs, workload, value, (Mode.RECLAIMD, best)) if best else None
            if got and got.middle > 1:
                yield f"{workload}: {what} is {got} times that of {best}"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    heading, *others = rows
    rule = ["---", *["---:"] * (len(heading) - 1)]
    return "".join(f"| {' | '.join(row)} |\n" for row in (heading, rule, *others))


def main() -> int:
    """Write the document; returns the exit status."""
    if len(sys.argv) != 3:
        print("usage: python3 -m tests.bench.document REPORT OUTPUT", file=sys.stderr)
        return 2
    source, output = map(Path, sys.argv[1:])
    output.write_text(document(json.loads(source.read_text(encoding="utf-8"))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
