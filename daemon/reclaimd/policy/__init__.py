# SPDX-License-Identifier: GPL-2.0-or-later
"""Typed policy and what is known of the cgroups to rules."""
