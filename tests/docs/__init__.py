# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the pages of docs/ that say what the code already says."""
