# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/metrics.md says what the daemon exports."""

import re
from pathlib import Path

import pytest

from tests.docs.metrics_page import Row, cgroup_rows, daemon_rows, page, process_rows
from tests.unit.fake_cgroupfs import FakeCgroupfs
from tests.unit.service.running import RunningDaemon, add_parent

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"
ROWS = [*cgroup_rows(), *daemon_rows(), *process_rows()]
# What it is, then its base unit, then what its type asks for.
NAME = re.compile(r"(reclaimd|process)_[a-z_]+[a-z]")


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text() == page(), "run make docs"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_names_follow_the_conventions(row: Row) -> None:
    assert NAME.fullmatch(row.name)
    assert row.name.endswith("_total") == (row.kind == "counter")
    assert not re.search(r"_(ms|us|ns|kib|mib|pages|percent)(_|$)", row.name)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_metric_and_label_is_explained(row: Row) -> None:
    assert row.meaning.endswith(".")
    for label in row.labels:
        assert f"`{label}`" in PAGE.read_text().partition("## Labels")[2]


def test_names_are_unique() -> None:
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names))


def test_the_daemon_exports_no_metric_that_is_not_on_the_page(cgroupfs: FakeCgroupfs) -> None:
    add_parent(cgroupfs, "/batch")
    cgroupfs.add("/batch/a", max_bytes=32 << 20)

    def script(daemon: RunningDaemon) -> None:
        exported = set(re.findall(r"^# TYPE (\S+) ", daemon.scrape(), re.MULTILINE))
        assert exported == {row.name for row in ROWS}

    RunningDaemon(cgroupfs).run(script)
