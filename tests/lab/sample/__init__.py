# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests that end in every way a test can: what the lab's own tests run in a VM. pytest collects them by name only."""
