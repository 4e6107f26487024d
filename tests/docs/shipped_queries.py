# SPDX-License-Identifier: GPL-2.0-or-later
"""The queries in what is shipped for Prometheus and Grafana."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CONFIG = Path(__file__).parents[2] / "config"
RULES = CONFIG / "prometheus" / "reclaimd.rules.yaml"
RULES_TEST = CONFIG / "prometheus" / "reclaimd.rules.test.yaml"
DASHBOARD = CONFIG / "grafana" / "reclaimd.json"

#: What Grafana puts into a query itself, and something that may stand there.
VARIABLES = {
    "$__rate_interval": "5m",
    "$instance": ".*",
    "$cgroup": ".*",
    "$policy": ".*",
}
_VARIABLE = re.compile(r"\$\w+")
_LABEL_VALUES = re.compile(r"label_values\((.*), (\w+)\)")


def alerts() -> list[dict[str, Any]]:
    """Return the alerts as they are written."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard_queries() -> Iterator[str]:
    """Yield the dashboard's queries as Prometheus gets them; KeyError for a variable that nothing is known of."""
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield _VARIABLE.sub(lambda found: VARIABLES[found[0]], target["expr"])
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            found = _LABEL_VALUES.fullmatch(variable["query"]["query"])
            assert found
            query = _VARIABLE.sub(lambda name: VARIABLES[name[0]], found[1])
            yield f"sum by ({found[2]}) ({query})"


def queries() -> list[str]:
    """Return every query that is shipped."""
    return [*(alert["expr"] for alert in alerts()), *dashboard_queries()]
