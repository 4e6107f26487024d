# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/metrics.md, made from what the daemon exports: `make docs`."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import cast

from prometheus_client.core import Metric
from prometheus_client.process_collector import ProcessCollector

from reclaimd.cgroup.reading import EVENTS
from reclaimd.config.models import Mode
from reclaimd.service.cgroup_metrics import FAMILIES
from reclaimd.service.incidents import Incident, Incidents
from reclaimd.service.ledger import Ledger, Loading, PolicyState, Snapshot
from reclaimd.service.log import DaemonLog
from reclaimd.service.metrics import DaemonCollector, Sources
from reclaimd.service.resolver import Resolver

INTRODUCTION = """\
<!-- SPDX-License-Identifier: GPL-2.0-or-later -->
<!-- Made by `make docs` from the code; change it there. -->
# Metrics

The daemon serves its metrics at `/metrics` on `metrics.listen`, 127.0.0.1:19765 unless told otherwise, in Prometheus' text
format and in OpenMetrics, whichever is asked for. `/` is a page with links, and `/healthz` is 200 as long as the daemon's
loop turns, and 503 if it does not within 10 s. `metrics.tls` turns HTTP into HTTPS, and can demand a certificate of clients.

A scrape configuration for Prometheus, and what it may load beside: [alerts](../config/prometheus/reclaimd.rules.yaml), which
[the runbook](runbook.md) explains, and [a dashboard](../config/grafana/reclaimd.json) for Grafana.

```yaml
scrape_configs:
  - job_name: reclaimd
    static_configs:
      - targets: [127.0.0.1:19765]
```

What is counted of a cgroup is counted in the kernel, from the moment on that it has a rule: no count is lost when the daemon
is slow or is started anew with the rules still in force. Series are there for what a cgroup's policy can bring, from 0 on, and end
with the cgroup. At most `metrics.max_cgroups` cgroups have them, the first by path; `reclaimd_unexported_cgroups` says how many
have none.
"""

CGROUPS = """
## Of each governed cgroup

These have the labels `cgroup`, the path below the cgroup2 root, and `policy`, the name of the policy that governs it, and
what is named with them here.

"""

DAEMON = """
## Of the daemon

"""

PROCESS = """
## Of its process

By prometheus-client, as other exporters have them.

"""

LABELS = f"""
## Labels

| Label | Values |
| --- | --- |
| `cgroup` | a path below the cgroup2 root, such as `/batch.slice/a.service` |
| `policy` | a name in the configuration |
| `reason` | of triggers, what was measured, a condition of `start`, or `requested`: by a person; of episodes, [why they ended](policy.md#why-episodes-end) |
| `share` | `some` tasks were stalled, or all of them: `full` |
| `event` | {", ".join(f"`{event}`" for event in EVENTS)} |
| `severity` | `error`: the policy is not in force for a cgroup that it matches; `warning`: it is, but look |
| `ability` | what a policy may ask for and [not every backend can do](backends.md#what-each-can-do) |
| `feature` | as `reclaimd probe` lists them |
| `kind` | `reload`: a configuration was not put in force; `apply`: nor were rules for cgroups that came, changed or went; `certificates`: changed files for TLS cannot be used; `clients`: connections to the metrics were closed, as there were 64 already |
| `version`, `backend` | of this daemon |
| `le` | of histograms: upper bounds in seconds |
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A metric as it is told."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


def page() -> str:
    """Return the page."""
    return "".join(
        (
            INTRODUCTION,
            CGROUPS,
            *_table(cgroup_rows()),
            DAEMON,
            *_table(daemon_rows()),
            PROCESS,
            *_table(process_rows()),
            LABELS,
        )
    )


def cgroup_rows() -> Iterator[Row]:
    """Yield what there is of each governed cgroup."""
    for family in FAMILIES:
        yield Row(family.full_name, family.kind.value, family.labels[2:], family.documentation)


def daemon_rows() -> Iterator[Row]:
    """Yield what there is of the daemon."""
    return map(_row, DaemonCollector(_sources(), Snapshot((), 0, 0, 0), 0).collect())


def process_rows() -> Iterator[Row]:
    """Yield what there is of the process."""
    return map(_row, ProcessCollector(registry=None).collect())


def _sources() -> Sources:
    """Somebody to ask who has something to say of everything."""
    incidents = Incidents()
    for kind in Incident:
        incidents.note(kind)
    ledger = SimpleNamespace(
        backend_name="bpf",
        features={"BTF": True},
        forbidden=Counter(),
        loading=Loading(0.0),
        policies=[PolicyState("batch", Mode.ENFORCE, paused=False)],
    )
    resolver = SimpleNamespace(policies=["batch"], problems=frozenset())
    log = SimpleNamespace(dropped_lines=0)
    return Sources(cast(Ledger, ledger), cast(Resolver, resolver), cast(DaemonLog, log), incidents)


def _row(metric: Metric) -> Row:
    suffix = {"counter": "_total", "info": "_info"}.get(metric.type, "")
    return Row(metric.name + suffix, metric.type, tuple(metric.samples[0].labels), metric.documentation)


def _table(rows: Iterable[Row]) -> Iterator[str]:
    yield "| Name | Type | Unit | Labels | Meaning |\n| --- | --- | --- | --- | --- |\n"
    for row in rows:
        labels = ", ".join(f"`{label}`" for label in row.labels) or "none"
        yield f"| `{row.name}` | {row.kind} | {_unit(row)} | {labels} | {row.meaning} |\n"


def _unit(row: Row) -> str:
    stem = row.name.removesuffix("_total")
    units = {"timestamp_seconds": "seconds since 1970", "start_time_seconds": "seconds since 1970"}
    for ending, unit in {**units, "seconds": "seconds", "bytes": "bytes"}.items():
        if stem.endswith(ending):
            return unit
    return "none" if row.kind == "info" else "a number"


if __name__ == "__main__":
    print(page(), end="")
