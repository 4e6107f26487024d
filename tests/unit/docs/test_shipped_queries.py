# SPDX-License-Identifier: GPL-2.0-or-later
"""Alerts and the dashboard ask for metrics and labels that there are; promtool looks at the rest in the VM."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.metrics_page import Row, cgroup_rows, daemon_rows, process_rows
from tests.docs.shipped_queries import RULES_TEST, alerts, dashboard_queries, queries

RUNBOOK = Path(__file__).parents[3] / "docs" / "runbook.md"
CGROUP_LABELS = ("cgroup", "policy")
#: What Prometheus adds to each series.
TARGET_LABELS = ("instance", "job")

_SELECTOR = re.compile(r"\b((?:reclaimd|process)_\w+|up)\b(?:\{([^}]*)\})?")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!=|!~|=)")


def _series(row: Row, labels: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    if row.kind != "histogram":
        return {row.name: labels}
    return {
        f"{row.name}_bucket": (*labels, "le"),
        f"{row.name}_sum": labels,
        f"{row.name}_count": labels,
    }


SERIES: dict[str, tuple[str, ...]] = {"up": ()}
for _row in cgroup_rows():
    SERIES |= _series(_row, (*CGROUP_LABELS, *_row.labels))
for _row in (*daemon_rows(), *process_rows()):
    SERIES |= _series(_row, _row.labels)


@pytest.mark.parametrize("query", queries())
def test_a_query_asks_for_series_and_labels_that_there_are(query: str) -> None:
    selectors = _SELECTOR.findall(query)
    assert selectors
    for name, matchers in selectors:
        assert name in SERIES
        assert set(_MATCHER.findall(matchers)) <= {*SERIES[name], *TARGET_LABELS}


def test_the_dashboard_shows_every_metric_of_cgroups() -> None:
    shown = {name for query in dashboard_queries() for name, _ in _SELECTOR.findall(query)}
    # These are for other questions than a dashboard's.
    left_out = {
        "reclaimd_passes_total",
        "reclaimd_reclaim_seconds_total",
        "reclaimd_ticks_total",
        "reclaimd_write_backs_total",
    }
    for row in cgroup_rows():
        assert row.name in left_out or any(name in shown for name in _series(row, ()))


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_says_what_it_is_about_and_where_to_read_on(alert: dict[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"info", "warning", "critical"}
    assert alert["annotations"]["summary"]
    assert alert["annotations"]["description"].endswith(".")
    assert alert["annotations"]["runbook_url"] == f"docs/runbook.md#{alert['alert'].lower()}"


def test_the_runbook_has_a_section_for_each_alert_and_no_other() -> None:
    sections = re.findall(r"^## (\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert sections == [alert["alert"] for alert in alerts()]


def test_the_runbook_s_links_lead_somewhere() -> None:
    text = RUNBOOK.read_text()
    anchors = {section.lower() for section in re.findall(r"^## (\w+)$", text, re.MULTILINE)}
    assert set(re.findall(r"\(#(\w+)\)", text)) <= anchors


def test_every_alert_is_tested_to_fire_and_not_to() -> None:
    names = {alert["alert"] for alert in alerts()}
    quiet, *loud = yaml.safe_load(RULES_TEST.read_text())["tests"]
    assert {test["alertname"] for test in quiet["alert_rule_test"]} == names
    assert all(name in str(loud) for name in names)
