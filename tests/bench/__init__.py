# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo: one workload in one small cgroup, without and with reclaimd, measured in the lab's VM."""
