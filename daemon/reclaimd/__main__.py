# SPDX-License-Identifier: GPL-2.0-or-later
"""`python3 -m reclaimd` is the command `reclaimd`."""

from reclaimd.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
