# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the compiled helpers are."""

import os
from pathlib import Path

from reclaimd.errors import HostError

_CHECKOUT = Path(__file__).resolve().parents[3]
#: In a checkout, and where a distribution's package has them.
_PLACES = (_CHECKOUT / "build" / "bin", Path("/usr/lib/reclaimd/bench"))
_ONE = "workload"


def programs_path() -> Path:
    """Return their directory: $RECLAIMD_BENCH_PROGRAMS, or the first of _PLACES that has them.

    Raises:
        HostError: none has.
    """
    override = os.environ.get("RECLAIMD_BENCH_PROGRAMS")
    for place in (Path(override),) if override else _PLACES:
        if (place / _ONE).exists():
            return place
    hint = "the Debian package and the rpm have them; in a checkout, make bpf compiles them"
    raise HostError("the benchmark's compiled helpers are not here", hint=hint)
