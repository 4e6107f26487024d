# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark: reclaimd beside what else keeps a cgroup below its limit."""
