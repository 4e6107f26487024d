# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon as a process, as root, on the patched kernel."""
