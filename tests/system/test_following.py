# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules follow the limits that they are percentages of."""

import time
from collections.abc import Callable
from statistics import median

import pytest

from tests.backends import BPF
from tests.kernel.cgroups import PAGE_BYTES, Cgroup, until
from tests.system.conftest import StartDaemon
from tests.system.daemon import Daemon
from tests.system.entries import rule_of
from tests.system.load import MIB, limited, path_of

#: As most are to follow; how long the slowest may take on a host that does something else meanwhile.
WITHIN_S = 1.0
LIMIT_S = 10.0
REWRITES = 10
#: What is rewritten, and the cgroup whose rule is a percentage of it.
FILES = {"memory.max": "leaf", "memory.high": "high"}
POLICY = """\
policies:
  - name: batch
    match: /batch/*
    reclaim: {start: 75%, stop: 50%}
  - name: high
    match: /batch/high
    reclaim: {start: 75% of memory.high, stop: 50% of memory.high}
"""


def _start_bytes(daemon: Daemon, cgroup: Cgroup, backend_name: str) -> float:
    """Return where reclaim starts: by the kernel's own rule if it carries it out, else as the daemon says."""
    if backend_name != BPF:
        return daemon.scrape().value("reclaimd_start_bytes", cgroup=path_of(cgroup))
    rule = rule_of(cgroup.cgroup_id)
    assert rule
    pages: int = rule.start.conditions[0].bound
    return pages * PAGE_BYTES


@pytest.mark.parametrize("file", FILES)
def test_a_rule_follows_a_rewritten_limit(
    batch: Cgroup,
    start: StartDaemon,
    record_property: Callable[..., None],
    backend_name: str,
    file: str,
) -> None:
    leaf = limited(batch, FILES[file], 32)
    leaf.write("memory.high", str(32 * MIB))
    daemon = start(POLICY)
    assert _start_bytes(daemon, leaf, backend_name) == 24 * MIB
    took_s = []
    for number in range(1, REWRITES + 1):
        limit_bytes = (32 + 4 * number) * MIB
        written_s = time.monotonic()
        leaf.write(file, str(limit_bytes))
        for _ in until(LIMIT_S):
            if _start_bytes(daemon, leaf, backend_name) == limit_bytes * 3 // 4:
                break
        took_s.append(time.monotonic() - written_s)
    record_property("median_s", median(took_s))
    record_property("slowest_s", max(took_s))
    assert median(took_s) < WITHIN_S
    print(f"{file}: a rule follows within {median(took_s):.3f} s, {max(took_s):.3f} s at most")
