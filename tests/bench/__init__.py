# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo and the benchmark: workloads in small cgroups, without and with reclaimd and others, in the lab's VM."""
