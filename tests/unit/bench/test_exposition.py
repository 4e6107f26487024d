# SPDX-License-Identifier: GPL-2.0-or-later
import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest

from reclaimd.bench.exposition import Series, parse, total

NAME = "reclaimd_episodes_total"


def test_a_sample_has_a_name_labels_and_a_value() -> None:
    text = '# HELP x y\n# TYPE x gauge\nx{cgroup="/demo/run",policy="demo"} 5.0\nreclaimd_rules 1.0\n'
    assert parse(text) == [
        Series("x", {"cgroup": "/demo/run", "policy": "demo"}, 5.0),
        Series("reclaimd_rules", {}, 1.0),
    ]


def test_labels_come_back_as_prometheus_client_wrote_them() -> None:
    odd = 'a "b" {c}, \\ d\ne'
    registry = CollectorRegistry()
    Counter("odd", "a label's value with all that is escaped", ["cgroup"], registry=registry).labels(odd).inc(
        3
    )
    assert total(parse(generate_latest(registry).decode()), "odd_total", cgroup=odd) == 3


def test_large_values_are_read_as_prometheus_client_writes_them() -> None:
    registry = CollectorRegistry()
    Counter("bytes", "more than a million", registry=registry).inc(123456789 * 4096)
    assert total(parse(generate_latest(registry).decode()), "bytes_total") == 123456789 * 4096


def test_a_total_is_over_the_series_that_carry_the_labels() -> None:
    series = [
        Series(NAME, {"cgroup": "/demo/run", "reason": "usage"}, 30),
        Series(NAME, {"cgroup": "/demo/run", "reason": "no_progress"}, 2),
        Series(NAME, {"cgroup": "/other", "reason": "usage"}, 500),
        Series("reclaimd_passes_total", {"cgroup": "/demo/run"}, 7000),
    ]
    assert total(series, NAME, cgroup="/demo/run") == 32


def test_a_total_of_nothing_is_unknown() -> None:
    assert total([Series(NAME, {"cgroup": "/other"}, 1)], NAME, cgroup="/demo/run") is None


def test_what_is_no_exposition_is_refused() -> None:
    with pytest.raises(ValueError, match="no sample"):
        parse("<html>not found</html>")
