# SPDX-License-Identifier: GPL-2.0-or-later
from reclaimd.bench.damon import free_goal, ram_ranges

IOMEM = """00000000-00000fff : Reserved
00001000-0009fbff : System RAM
00100000-7ffd9fff : System RAM
  01000000-01ffffff : Kernel code
"""


def test_memory_is_where_the_kernel_says_that_there_is_some() -> None:
    assert ram_ranges(IOMEM) == [(0x1000, 0x9FC00), (0x100000, 0x7FFDA000)]


def test_the_goal_is_what_the_cgroup_leaves_free_of_the_node() -> None:
    assert free_goal(22 << 20, 2200 << 20) == 9900
