# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Prometheus scrapes the real daemon, and promtool looks at what is shipped for it."""

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.docs.shipped_queries import RULES, RULES_TEST, queries
from tests.kernel.cgroups import Cgroup, until
from tests.system.conftest import StartDaemon
from tests.system.daemon import PATIENCE_S, free_port
from tests.system.load import limited, write_and_read
from tests.system.promtool import promtool

BATCH = """\
policies:
  - name: batch
    match: /batch/*
    reclaim: {start: 24MiB, stop: 22MiB}
    back_pressure: {start: 29MiB, max_delay: 100ms}
    on_missing: warn
"""


def test_the_alerts_are_valid() -> None:
    assert "SUCCESS" in promtool("check", "rules", str(RULES))


def test_the_alerts_fire_when_they_should() -> None:
    assert "SUCCESS" in promtool("test", "rules", str(RULES_TEST))


def test_all_queries_are_valid(tmp_path: Path) -> None:
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries())]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(file))


def test_promtool_finds_no_fault_with_a_scrape(batch: Cgroup, disk: Path, start: StartDaemon) -> None:
    leaf = limited(batch, "a", 32)
    daemon = start(BATCH)
    write_and_read(leaf, disk / "data", 40)
    assert promtool("check", "metrics", text=daemon.text()) == ""


def test_prometheus_scrapes_the_daemon(batch: Cgroup, disk: Path, start: StartDaemon, tmp_path: Path) -> None:
    leaf = limited(batch, "a", 32)
    daemon = start(BATCH)
    write_and_read(leaf, disk / "data", 40)
    triggers = daemon.scrape().value("reclaimd_triggers_total", cgroup="/batch/a")
    assert triggers > 0
    with prometheus(daemon.address, tmp_path) as server:
        assert server.value('up{job="reclaimd"}') == 1
        assert server.value('reclaimd_limit_bytes{cgroup="/batch/a", policy="batch"}') == 32 << 20
        assert server.value('reclaimd_triggers_total{cgroup="/batch/a", reason="usage"}') >= triggers
        assert server.value('reclaimd_reaction_seconds_count{cgroup="/batch/a"}') > 0
        assert server.value("process_resident_memory_bytes") > 0
        assert server.alerts() == {
            rule["alert"] for rule in yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
        }


class Server:
    """A running Prometheus."""

    def __init__(self, port: int) -> None:
        self._api = f"http://127.0.0.1:{port}/api/v1"

    def value(self, query: str) -> float:
        """Wait until a query has a result; return its only value."""
        for _ in until(PATIENCE_S):
            try:
                result = self._get(f"query?{urllib.parse.urlencode({'query': query})}")["result"]
            except OSError:
                continue  # it does not listen yet
            if result:
                (series,) = result
                return float(series["value"][1])
        raise AssertionError(query)

    def alerts(self) -> set[str]:
        """Wait until all alerts have been evaluated; return those that could be."""
        for _ in until(PATIENCE_S):
            rules = [rule for group in self._get("rules")["groups"] for rule in group["rules"]]
            if all(rule["health"] != "unknown" for rule in rules):
                return {rule["name"] for rule in rules if rule["health"] == "ok"}
        raise AssertionError

    def _get(self, what: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self._api}/{what}", timeout=PATIENCE_S) as answer:  # noqa: S310  our own server
            data: dict[str, Any] = json.load(answer)["data"]
        return data


@contextmanager
def prometheus(target: str, directory: Path) -> Iterator[Server]:
    """Run one that scrapes a daemon each second."""
    config = directory / "prometheus.yml"
    config.write_text(
        yaml.safe_dump(
            {
                "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                "rule_files": [str(RULES)],
                "scrape_configs": [{"job_name": "reclaimd", "static_configs": [{"targets": [target]}]}],
            }
        )
    )
    port = free_port()
    with (directory / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            yield Server(port)
        finally:
            process.terminate()
            process.wait(PATIENCE_S)
