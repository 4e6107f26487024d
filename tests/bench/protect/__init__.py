# SPDX-License-Identifier: GPL-2.0-or-later
"""Protection that follows what a cgroup does, beside a static memory.low: `python3 -m tests.bench.protect`."""
