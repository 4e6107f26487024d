# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/benchmarks.md, written from report.json and from nothing else.

python3 -m reclaimd.bench.document build/bench/report.json docs/benchmarks.md
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from reclaimd.bench.document_texts import HEAD, MICRO, MODES, REACTION, REACTION_TITLES, SCALE
from reclaimd.bench.experiment import WORKLOADS, Mode, Workload
from reclaimd.bench.marks import Value, best_mode, marks, ratio
from reclaimd.bench.micro_report import micro_rows
from reclaimd.bench.report import Run, run_from_json
from reclaimd.bench.scale_report import scale_rows
from reclaimd.bench.table import by_mode

LOSSES: tuple[tuple[str, Value], ...] = (
    ("stall (PSI some)", lambda run: run.psi_some_us),
    ("wall time", lambda run: run.wall_s),
    ("p99.9", lambda run: run.ops_p999_us),
    ("the neighbour's p99.9", lambda run: run.neighbour_p999_us),
    ("CPU time of the cgroup", lambda run: run.cgroup_cpu_s),
    ("CPU time of whoever reclaims", lambda run: run.reclaim_cpu_s),
)

PAGE_BYTES = 4096


def document(report: Mapping[str, Any]) -> str:
    """Return the text of docs/benchmarks.md."""
    runs = [run_from_json(fields) for fields in report["runs"]]
    done = [workload for workload in WORKLOADS if any(run.name == str(workload) for run in runs)]
    parts = [HEAD, _conditions(report, runs), MODES, "\n## Results\n"]
    parts += [_results(report, runs, workload) for workload in done]
    parts += [_reaction(report), _micro(report), _scale(report)]
    parts.append(
        "\n## Marks\n\nRatios are of medians; in brackets the range of the ratios of runs of one turn.\n"
    )
    rows = [["mark", "figure", "reached"]]
    rows += [[f"{mark.number}. {mark.claim}", mark.figures, mark.word] for mark in marks(runs, done, report)]
    parts += ["\n", _markdown(rows), "\n## Where reclaimd loses\n\n"]
    losses = list(_losses(runs, done))
    parts.append("".join(f"* {loss}\n" for loss in losses) or "Nowhere in these runs.\n")
    return "".join(parts)


def _conditions(report: Mapping[str, Any], runs: Sequence[Run]) -> str:
    accel = f", QEMU with {report['accel'].upper()}" if "accel" in report else ""
    times = max((run.run for run in runs), default=0)
    return (
        f"\n{report['date']}, reclaimd {report['version']}, Linux {report['kernel']}, {report['machine']}{accel}; "
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
    reaction = report.get("reaction")
    if not reaction:
        return ""
    if "unavailable" in reaction:
        return f"\n### Reaction\n\nNot measured: {reaction['unavailable']}.\n"
    return f"{REACTION}\n{_markdown(_reaction_rows(reaction))}"


def _reaction_rows(reaction: Mapping[str, Any]) -> Iterator[list[str]]:
    bounds = [bound for bound, _ in reaction["cpu_idle"]["buckets"]]
    yield ["", "reactions", "p50, us", "p99, us", *(f"<= {bound}" for bound in bounds if bound)]
    for name, title in REACTION_TITLES.items():
        got = reaction[name]
        counts = [str(count) for bound, count in got["buckets"] if bound]
        yield [title, str(got["count"]), *(_known(got[key]) for key in ("p50_us", "p99_us")), *counts]


def _known(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _micro(report: Mapping[str, Any]) -> str:
    micro = report.get("micro")
    if not micro:
        return ""
    text = MICRO.format(turns=micro["turns"], size_mib=micro["pages"] * PAGE_BYTES >> 20)
    return f"{text}\n{_markdown(micro_rows(micro))}"


def _scale(report: Mapping[str, Any]) -> str:
    scale = report.get("scale")
    return f"{SCALE}\n{_markdown(scale_rows(scale))}" if scale else ""


def _losses(runs: Sequence[Run], workloads: Sequence[Workload]) -> Iterator[str]:
    for workload in workloads:
        for what, value in LOSSES:
            best = best_mode(runs, workload, value)
            got = ratio(runs, workload, value, (Mode.RECLAIMD, best)) if best else None
            if got and got.middle > 1:
                yield f"{workload}: {what} is {got} times that of {best}"


def _markdown(rows: Iterable[Sequence[str]]) -> str:
    heading, *others = rows
    rule = ["---", *["---:"] * (len(heading) - 1)]
    return "".join(f"| {' | '.join(row)} |\n" for row in (heading, rule, *others))


def main() -> int:
    """Write the document; returns the exit status."""
    if len(sys.argv) != 3:
        print("usage: python3 -m reclaimd.bench.document REPORT OUTPUT", file=sys.stderr)
        return 2
    source, output = map(Path, sys.argv[1:])
    output.write_text(document(json.loads(source.read_text(encoding="utf-8"))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
