# SPDX-License-Identifier: GPL-2.0-or-later
"""What carries rules out; `base` says what each backend promises."""
