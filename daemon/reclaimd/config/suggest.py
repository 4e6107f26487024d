# SPDX-License-Identifier: GPL-2.0-or-later
"""What may have been meant by a key that is not known."""

import difflib
from collections.abc import Iterable


def key_hint(key: str, known: Iterable[str]) -> str:
    """Return the known key that is most like this one, or all of them."""
    keys = list(known)
    if close := difflib.get_close_matches(key.lower().replace("-", "_"), keys, n=1):
        return f"did you mean '{close[0]}'?"
    return f"the keys here are {', '.join(keys)}"
