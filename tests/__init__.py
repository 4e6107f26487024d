# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything that shows that reclaimd works: unit tests, the VM lab, kernel and system tests, benchmarks."""
