# SPDX-License-Identifier: GPL-2.0-or-later
"""reclaimd keeps memory cgroups below their limits in the background."""

__version__ = "0.1.0"
