# SPDX-License-Identifier: GPL-2.0-or-later
"""The tree of cgroups: walk it, read it, watch it; every function takes the root as an argument."""
