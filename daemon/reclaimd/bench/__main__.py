# SPDX-License-Identifier: GPL-2.0-or-later
"""`python3 -m reclaimd.bench` is the command `reclaimd-bench`."""

from reclaimd.bench.command import main

if __name__ == "__main__":
    raise SystemExit(main())
