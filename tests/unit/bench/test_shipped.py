# SPDX-License-Identifier: GPL-2.0-or-later
from pathlib import Path

import pytest

from reclaimd.bench.experiment import DEMO_MODES, DEMO_WORKLOADS, PARENTS, Mode, cases
from reclaimd.config import load_config
from reclaimd.errors import ConfigError
from reclaimd.policy.match import Matcher
from tests.bench.shipped import CONFIG, Threshold, read_shipped

OTHER_CGROUP = """
policies:
  - name: other
    match: /elsewhere
    reclaim: {start: 75%, stop: 70%}
"""
GOVERNED = """
policies:
  - name: demo
    match: /demo/*
    reclaim: {start: 24MiB, stop: 22MiB}
    back_pressure: {start: 87.5%, max_delay: 40ms}
metrics:
  listen: 127.0.0.1:1234
"""


def test_the_shipped_example_governs_the_demo_s_cgroups() -> None:
    assert read_shipped().rule.path.startswith(f"{PARENTS[Mode.RECLAIMD]}/")


def test_thresholds_are_the_limit_and_what_the_policy_comes_to(tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text(GOVERNED)
    assert read_shipped(tmp_path / "demo.yaml").thresholds == (
        Threshold("limit (memory.max)", 32),
        Threshold("back-pressure", 28),
        Threshold("start", 24),
        Threshold("stop", 22),
    )


def test_the_daemon_is_scraped_where_the_policy_says(tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text(GOVERNED)
    assert read_shipped(tmp_path / "demo.yaml").metrics_url == "http://127.0.0.1:1234/metrics"


def test_an_example_for_another_cgroup_is_refused(tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text(OTHER_CGROUP)
    with pytest.raises(ConfigError, match="no policy governs /demo/"):
        read_shipped(tmp_path / "demo.yaml")


def test_the_shipped_example_leaves_the_other_mode_s_cgroups_alone() -> None:
    matcher = Matcher(load_config(CONFIG).config.policies[0].match)
    made = cases(DEMO_WORKLOADS, DEMO_MODES, 1)
    assert all(
        matcher.best(cgroup) is None for case in made if case.mode is Mode.NONE for cgroup in case.cgroups
    )
