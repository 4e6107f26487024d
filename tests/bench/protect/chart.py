# SPDX-License-Identifier: GPL-2.0-or-later
"""The runs as a bar chart."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.bench.protect.experiment import Mode, Run, throughputs, typical
from tests.bench.protect.verdict import ROWS

COLOURS = {Mode.NONE: "#999999", Mode.MEMORY_LOW: "#d55e00", Mode.RECLAIMD: "#0072b2"}
LEGEND = {Mode.NONE: "no protection", Mode.MEMORY_LOW: "static memory.low", Mode.RECLAIMD: "reclaimd"}
SIZE_INCHES = (9.0, 4.6)
DPI = 150
BAR_WIDTH = 0.26


def draw(title: str, runs: Sequence[Run], path: Path) -> None:
    """Draw the medians as bars, and each run as a dot, on a logarithmic scale, as a PNG file."""
    with mpl.rc_context({"font.size": 10, "font.family": "DejaVu Sans", "axes.spines.right": False}):
        figure = Figure(figsize=SIZE_INCHES, layout="constrained")
        axes = figure.subplots()
        for place, mode in enumerate(Mode):
            at = [row + (place - 1) * BAR_WIDTH for row in range(len(ROWS))]
            heights = [typical(runs, scenario, mode, cgroup) for scenario, cgroup, _ in ROWS]
            bars = axes.bar(at, heights, BAR_WIDTH * 0.9, color=COLOURS[mode], label=LEGEND[mode])
            axes.bar_label(bars, fmt="{:,.0f}", padding=3, fontsize=8)
            for x, (scenario, cgroup, _) in zip(at, ROWS, strict=True):
                each = throughputs(runs, scenario, mode, cgroup)
                axes.plot([x] * len(each), each, "o", color="black", markersize=2.5)
        axes.set_yscale("log")
        axes.set_ylabel("operations per second")
        axes.set_xticks(range(len(ROWS)), [heading for _, _, heading in ROWS])
        axes.spines["top"].set_visible(False)
        axes.margins(y=0.12)
        axes.legend(frameon=False)
        figure.suptitle(title)
        figure.savefig(path, dpi=DPI)
