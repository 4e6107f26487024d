# SPDX-License-Identifier: GPL-2.0-or-later
"""The running daemon: its loop, signals, log and metrics."""
