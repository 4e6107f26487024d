# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of docs/benchmarks.md that are the same each time."""

HEAD = """<!-- SPDX-License-Identifier: GPL-2.0-or-later -->
<!-- Written by reclaimd-bench from its report: do not edit. -->
# Benchmarks

reclaimd beside what else keeps a cgroup below its limit, on the same workloads: `make bench` in the lab's VM, or
`reclaimd-bench` on a real host. In every mode reclaim is to start at 75 % of `memory.max` and to stop at 68.75 %, where
the mode knows such thresholds, and the cgroups are equally deep. The modes take turns, each turn beginning with another
one. Figures are medians, with the range of all runs in brackets; only figures of one workload are comparable, as the
machine is not equally fast all the time.
"""

MODES = """
## Modes

* **none**: nothing but `memory.max`.
* **memory.high**: `memory.high` where reclaim is to start.
* **loop-1ms**, **loop-100ms**: a C program that polls `memory.current`, and writes all that is to go to
  `memory.reclaim` ([loop.c](../daemon/bench_src/loop.c)). Its CPU time includes the polling.
* **oomd**: Debian's oomd, whose senpai plugin moves `memory.high` between stop and start by the pressure it sees, once a
  second.
* **damon**: a DAMOS pageout scheme for the cgroup's pages, whose quota is nothing once the cgroup is down to stop.
* **reclaimd-no-back-pressure**, **reclaimd**: the daemon, without and with back-pressure from 87.5 % on. The CPU time is
  the daemon's and that of the kernel's workers. The cgroup is charged for the workers' part: what a run took in all is the
  cgroup's CPU time and the daemon's here, and the sum of both columns with the loops.

## Workloads

* **file N**: writes N MiB in 4 KiB writes and reads them twice through a mapping; 32 MiB, no swap.
* **anon N**: faults in N MiB and rewrites them once, incompressible, 32 MiB; swap is zram, here and below.
* **burst**: idle, then 8 MiB/s allocated for a second each, then six times that, and 8 MiB/s again; 32 MiB.
* **fork**: 16 processes of *anon 8* in one cgroup of 32 MiB.
* **cgroups**: 64 processes of *file 6* at once, each in a cgroup of 4 MiB.
* **compile**: gcc compiles libfdt, two files at once, in 60 % of what it needs at its peak.
* **redis**: a Redis server with 16,000 values of 1 KiB is asked for 400 of them a second, beside *file 128* in a common
  parent of 48 MiB. A request takes from the moment that it was due.

`max events` and `OOM kills` are the cgroup's `memory.events`, `PSI some` is the total of its `memory.pressure`. Percentiles
are of single operations: accesses to a page, allocations of 64 KiB in *burst*, requests in *redis*.
"""

REACTION = """
### Reaction

From the charge that crosses start, which queues the work, to where a worker takes the first page out of the page cache, in
*file 64*; by the kernel's own trace. The columns are a histogram: how many took no longer.
"""

MICRO = """
### Where nothing is reclaimed

What a page costs: the medians of {turns} turns of {size_mib} MiB, and the ratio to the kernel without the patches with the
range of the turns. Instructions are those of a virtual machine with one CPU whose clock counts them (QEMU's `-icount`);
they are what the marks go by, as half a percent of time drowns in noise.
"""

SCALE = """
### Many cgroups

What it costs to charge a page, populated by the kernel in visits of 512 KiB to one cgroup after the other; the medians of
all turns with their range. A visit is the first charge of its cgroup for a while, where there are many.
"""

REACTION_TITLES = {"cpu_idle": "a CPU idle", "both_busy": "all CPUs busy"}
"""What the CPUs besides the workload's do, by the report's keys."""
