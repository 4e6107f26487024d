# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands that look and do nothing."""

import json
from pathlib import Path

import pytest

from tests.backends import BPF, MEMORY_RECLAIM
from tests.kernel.cgroups import Cgroup
from tests.system.daemon import run_reclaimd
from tests.system.load import limited

VALID = """\
policies:
  - name: batch
    match: /batch/*
    reclaim: {start: 75%, stop: 50%}
"""


CHOSEN = {BPF: "this kernel has memcg_bpf_ops", MEMORY_RECLAIM: "this kernel has no memcg_bpf_ops"}


def test_probe_says_that_this_kernel_can(batch: Cgroup, backend_name: str) -> None:
    del batch
    ended = run_reclaimd("probe")
    assert (ended.status, ended.lines) == (0, [])
    last = ended.out.splitlines()[-1]
    assert last.startswith(f"reclaimd can run here with the backend {backend_name}: {CHOSEN[backend_name]}")


@pytest.mark.bpf_only("all that there is to be found")
def test_probe_as_json_lacks_nothing() -> None:
    ended = run_reclaimd("probe", "--json")
    report = json.loads(ended.out)
    assert (ended.status, report["can_run"]) == (0, True)
    assert [found["name"] for found in report["bpf"]["findings"] if not found["present"]] == []


def test_check_shows_what_the_policies_come_to(batch: Cgroup, config: Path) -> None:
    limited(batch, "a", 32)
    config.write_text(VALID)
    ended = run_reclaimd("check", str(config))
    assert (ended.status, ended.lines) == (0, [])
    shown = ["/batch/a", "batch", "usage", "24MiB", "usage", "16MiB", "32MiB", "none"]
    assert ended.out.splitlines()[-1].split() == shown
