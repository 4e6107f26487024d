# SPDX-License-Identifier: GPL-2.0-or-later
"""The control socket: Varlink, for those who look at the daemon and steer it."""
