# SPDX-License-Identifier: GPL-2.0-or-later
from tests.bench.measure import Timings, timeline
from tests.bench.report import Sample


def test_the_timeline_counts_from_the_workload_s_start_to_its_end() -> None:
    timings = Timings(started_ns=10_000_000, wall_s=0.005)
    samples = [(9_000_000, 0), (12_000_000, 4096), (15_000_000, 8192), (16_000_000, 4096)]
    assert timeline(samples, timings) == (Sample(-1000, 0), Sample(2000, 4096), Sample(5000, 8192))
