# SPDX-License-Identifier: GPL-2.0-or-later
"""The directory of results: every run as it ends, and the report, the document and the pictures made of them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from reclaimd.bench.document import document
from reclaimd.bench.experiment import Mode, Workload
from reclaimd.bench.report import Measurement, Results, Run, Skip, report_json
from reclaimd.bench.table import aligned, by_mode

REPORT, DOCUMENT, RUNS = "report.json", "benchmarks.md", "runs.jsonl"
"""The names of the files that programs, people and further measurements read."""


@dataclass(frozen=True, slots=True)
class Output:
    """A directory of results, made where it is missing, without those of an earlier time."""

    directory: Path
    results: Results = field(default_factory=Results)

    def __post_init__(self) -> None:
        """Make the directory."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for old in (self.report, self.document, self.runs, self.log, *self.directory.glob("*.png")):
            old.unlink(missing_ok=True)

    @property
    def report(self) -> Path:
        """All figures."""
        return self.directory / REPORT

    @property
    def document(self) -> Path:
        """What people read of them."""
        return self.directory / DOCUMENT

    @property
    def runs(self) -> Path:
        """A line for each run, with memory.current over time; written as they end."""
        return self.directory / RUNS

    @property
    def log(self) -> Path:
        """The daemon's log."""
        return self.directory / "reclaimd.log"

    def add(self, told: Measurement | Skip) -> Run | Skip:
        """Take a run, and return what there is to tell of it."""
        line = told.to_line()
        with self.runs.open("a", encoding="utf-8") as lines:
            print(line, file=lines)
        return self.results.add_line(line)

    def finish(self, more: Mapping[str, Any]) -> None:
        """Write what is made of all runs, and what else the report is to have."""
        skipped = [asdict(skip) for skip in self.results.skips]
        write_report(self.directory, report_json(self.results.runs, **more, skipped=skipped))


def read_results(directory: Path) -> Results:
    """Return the runs that are in a directory of results."""
    results = Results()
    for line in (directory / RUNS).read_text(encoding="utf-8").splitlines():
        results.add_line(line)
    return results


def write_report(directory: Path, text: str) -> None:
    """Write a report and the document made of it."""
    (directory / REPORT).write_text(text, encoding="utf-8")
    (directory / DOCUMENT).write_text(document(json.loads(text)), encoding="utf-8")


def draw_pictures(results: Results, workloads: Sequence[Workload], directory: Path) -> str | None:
    """Draw the pictures of these runs and of the report beside them; return why there are none without matplotlib."""
    try:
        from reclaimd.bench.plots import draw_all  # noqa: PLC0415  few hosts have it, and nothing else needs it
    except ImportError:
        return "no pictures were drawn: matplotlib is not installed (Debian: python3-matplotlib)"
    report = json.loads((directory / REPORT).read_text(encoding="utf-8"))
    draw_all(results, workloads, directory, report.get("reaction"))
    return None


def tables(results: Results, workloads: Sequence[Workload], modes: Sequence[Mode]) -> str:
    """Return a table for each workload, and which modes could not run it."""
    blocks: list[str] = []
    for workload in workloads:
        skips = [skip for skip in results.skips if skip.workload == str(workload)]
        lines = [str(workload), aligned(by_mode(results.runs, workload, modes))]
        blocks.append("\n".join([*lines, *(f"{skip.mode}: cannot run: {skip.reason}" for skip in skips)]))
    return "\n\n".join(blocks)
