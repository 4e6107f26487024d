# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of `reclaimctl`, a module for each or for a group that belongs together.

Each module has a function `add(commands)`, and is in the list of reclaimd.cli.reclaimctl.
"""
