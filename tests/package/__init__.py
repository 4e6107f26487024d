# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of the Debian package: installed in the VM, with systemd as PID 1, from the .deb that the lab has built."""
