# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests of the patched kernel's interface. They run as root on that kernel, in the lab's VM."""
