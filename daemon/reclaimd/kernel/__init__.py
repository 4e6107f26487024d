# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel room: libbpf from Python, and what the running kernel offers.

Importing it needs neither libbpf nor a patched kernel. The library is opened by the first call
into it; a machine without it gets a HostError that names the package to install.
"""
