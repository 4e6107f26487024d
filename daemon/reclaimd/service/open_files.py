# SPDX-License-Identifier: GPL-2.0-or-later
"""How many files the daemon may have open."""

import resource


def raise_open_files_limit() -> None:
    """Have as many as the hard limit allows: each link of BPF programs to a cgroup is one, and so is each client.

    The soft limit is low (1024) only for the sake of select(), which the daemon does not use.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
