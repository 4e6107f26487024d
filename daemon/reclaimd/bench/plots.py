# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark's pictures: usage over time, and what stalls there were, by mode."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from reclaimd.bench.document_texts import REACTION_TITLES
from reclaimd.bench.experiment import Mode, Workload
from reclaimd.bench.report import Measurement, Results, Run, select
from reclaimd.bench.table import Value

# The Okabe-Ito palette, which people with any kind of colour vision tell apart.
COLOURS = dict(
    zip(
        Mode,
        ("#000000", "#e69f00", "#009e73", "#56b4e9", "#cc79a7", "#999999", "#d55e00", "#0072b2"),
        strict=True,
    )
)
MIB = 1 << 20
DPI = 120
LEAST = 1e-3
INCHES_PER_PANEL = 1.5
WIDTH_INCHES = 9.0


def draw_all(
    results: Results, workloads: Sequence[Workload], directory: Path, reaction: Mapping[str, Any] | None
) -> None:
    """Draw all pictures of these results; *reaction* is the report's."""
    if reaction and "unavailable" not in reaction:
        draw_reaction(reaction, directory / "reaction.png")
    for workload in workloads:
        if any(run.name == str(workload) for run in results.runs):
            draw_usage(results.measurements, workload, directory / f"usage-{workload.word}.png")
    stalls = ("Memory stall (PSI some), ms, each run", directory / "stall.png")
    draw_runs(results.runs, workloads, lambda run: run.psi_some_us / 1000, *stalls)
    tails = ("p99.9 of the workload's operations, us, each run", directory / "tail-latency.png")
    draw_runs(results.runs, workloads, lambda run: run.ops_p999_us, *tails)


def draw_usage(measurements: Sequence[Measurement], workload: Workload, path: Path) -> None:
    """Draw memory.current over time, a panel for each mode: the run with the median wall time of each."""
    typical = [_typical(measurements, workload, mode) for mode in Mode]
    shown = [one for one in typical if one is not None]
    with _style():
        figure = Figure(figsize=(WIDTH_INCHES, INCHES_PER_PANEL * len(shown) + 0.8), layout="constrained")
        panels = figure.subplots(len(shown), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        for axes, measurement in zip(panels, shown, strict=True):
            run = measurement.run
            axes.axhline(run.limit_mib, color="#444444", linewidth=0.8)
            axes.plot(
                [sample.at_us / 1e6 for sample in measurement.timeline],
                [sample.current_bytes / MIB for sample in measurement.timeline],
                color=COLOURS[run.mode],
                linewidth=1.1,
            )
            axes.set_title(
                f"{run.mode}: max events {run.max_events}, PSI some {run.psi_some_us / 1000:.0f} ms",
                loc="left",
                fontsize=9,
            )
            axes.margins(x=0)
        panels[-1].set_xlabel("seconds since the workload's start")
        figure.supylabel("memory.current of a cgroup, MiB; the line is its limit")
        figure.suptitle(str(workload))
        figure.savefig(path, dpi=DPI)


def draw_reaction(reaction: Mapping[str, Any], path: Path) -> None:
    """Draw what share of the reactions took no longer than a time, on a logarithmic axis."""
    with _style():
        figure = Figure(figsize=(WIDTH_INCHES, 4.0), layout="constrained")
        axes = figure.subplots()
        for name, mode in (("cpu_idle", Mode.RECLAIMD), ("both_busy", Mode.NO_BACK_PRESSURE)):
            took_us = reaction[name]["samples_us"]
            shares = [(place + 1) / len(took_us) for place in range(len(took_us))]
            axes.step(took_us, shares, where="post", color=COLOURS[mode], label=REACTION_TITLES[name])
        axes.set_xscale("log")
        axes.set_xlabel("us from the charge that crosses start to the first page reclaimed")
        axes.set_ylabel("share of the reactions")
        axes.legend(frameon=False)
        figure.savefig(path, dpi=DPI)


def draw_runs(
    runs: Sequence[Run], workloads: Sequence[Workload], value: Value, title: str, path: Path
) -> None:
    """Draw each run as a dot on a logarithmic axis, a column for each mode, a panel for each workload.

    Workloads without any value are left out; without any workload there is no picture.
    """
    told = {workload: _by_mode(runs, workload, value) for workload in workloads}
    shown = {workload: by_mode for workload, by_mode in told.items() if any(by_mode.values())}
    if not shown:
        return
    with _style():
        figure = Figure(figsize=(WIDTH_INCHES, 2.0 * len(shown) + 1.0), layout="constrained")
        panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (workload, by_mode) in zip(panels, shown.items(), strict=True):
            for column, (mode, values) in enumerate(by_mode.items()):
                axes.scatter([column] * len(values), values, color=COLOURS[mode], s=18)
            axes.set_yscale("log")
            axes.set_title(str(workload), loc="left", fontsize=9)
        panels[-1].set_xticks(range(len(Mode)), [str(mode) for mode in Mode], rotation=20, ha="right")
        figure.suptitle(title)
        figure.savefig(path, dpi=DPI)


def _by_mode(runs: Sequence[Run], workload: Workload, value: Value) -> dict[Mode, list[float]]:
    """Return the values of each mode's runs; nothing is a little, as there is no nothing on a logarithmic axis."""
    return {
        mode: [max(got, LEAST) for run in select(runs, workload, mode) if (got := value(run)) is not None]
        for mode in Mode
    }


def _typical(measurements: Sequence[Measurement], workload: Workload, mode: Mode) -> Measurement | None:
    chosen = [one for one in measurements if one.run.name == str(workload) and one.run.mode is mode]
    return sorted(chosen, key=lambda one: one.run.wall_s)[(len(chosen) - 1) // 2] if chosen else None


def _style() -> AbstractContextManager[None]:
    return mpl.rc_context(
        {"font.size": 9, "font.family": "DejaVu Sans", "axes.spines.right": False, "axes.spines.top": False}
    )
