# SPDX-License-Identifier: GPL-2.0-or-later
"""The picture: memory.current of one run without reclaimd and one with it, and the thresholds."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from reclaimd.bench.experiment import Mode, Workload
from reclaimd.bench.report import Measurement
from reclaimd.bench.table import DEMO_TITLES
from tests.bench.shipped import MIB, Threshold

# Of the Okabe-Ito palette, which people with any kind of colour vision tell apart; lines differ in style too.
CURVES = {Mode.NONE: "#d55e00", Mode.RECLAIMD: "#0072b2"}
DASHES = ("solid", "dashdot", "dashed", "dotted")
GREY = "#444444"
SIZE_INCHES = (9.0, 5.6)
DPI = 150
HEADROOM = 1.12
TICK_MIB = 8


def typical(measurements: Sequence[Measurement], workload: Workload, mode: Mode) -> Measurement:
    """Return the run with the median wall time (of an even number, the quicker of the two in the middle)."""
    chosen = [one for one in measurements if one.run.name == str(workload) and one.run.mode is mode]
    return sorted(chosen, key=lambda one: one.run.wall_s)[(len(chosen) - 1) // 2]


def draw(
    title: str, typical_runs: Sequence[Measurement], thresholds: Sequence[Threshold], path: Path
) -> None:
    """Draw two runs, one above the other on the same axes, as a PNG file; the limit is the first threshold."""
    with mpl.rc_context({"font.size": 10, "font.family": "DejaVu Sans", "axes.spines.right": False}):
        figure = Figure(figsize=SIZE_INCHES, layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, sharey=True)
        for axes, measurement in zip((upper, lower), typical_runs, strict=True):
            _panel(axes, measurement, thresholds)
        lower.set_xlabel("seconds since the workload's start")
        lower.set_xlim(left=0)
        lower.set_ylim(0, thresholds[0].mib * HEADROOM)
        lower.yaxis.set_major_locator(MultipleLocator(TICK_MIB))
        figure.suptitle(title)
        figure.savefig(path, dpi=DPI)


def _panel(axes: Axes, measurement: Measurement, thresholds: Sequence[Threshold]) -> None:
    run = measurement.run
    for threshold, dashes in zip(thresholds, DASHES, strict=False):
        axes.axhline(threshold.mib, color=GREY, linestyle=dashes, linewidth=0.9, zorder=1)
        axes.annotate(
            f"{threshold.name} {threshold.mib:g}",
            (1.0, threshold.mib),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            verticalalignment="center",
            color=GREY,
            fontsize=9,
        )
    axes.plot(
        [sample.at_us / 1e6 for sample in measurement.timeline],
        [sample.current_bytes / MIB for sample in measurement.timeline],
        color=CURVES[run.mode],
        linewidth=1.4,
        zorder=2,
    )
    figures = (
        f"max events {run.max_events}, PSI some {run.psi_some_us / 1000:.0f} ms, wall {run.wall_s:.1f} s"
    )
    axes.set_title(f"{DEMO_TITLES[run.mode]}: {figures}", loc="left", color=CURVES[run.mode], fontsize=11)
    axes.set_ylabel("memory.current, MiB")
    axes.spines["top"].set_visible(False)
    axes.margins(x=0)
