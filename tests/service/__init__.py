# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of the daemon as a service: in the VM, with systemd as PID 1."""
