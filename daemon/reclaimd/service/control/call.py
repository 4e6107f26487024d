# SPDX-License-Identifier: GPL-2.0-or-later
"""One call, as the methods of the interface see it."""

from collections.abc import Callable


class Call:
    """Who calls, and whether the next reply can be had yet.

    Args:
        peer_uid: the user that the client ran as when it connected.
    """

    def __init__(self, peer_uid: int) -> None:
        self.peer_uid = peer_uid
        self._is_ready: Callable[[], bool] = _always
        self._unsaid = False

    def wait_for(self, is_ready: Callable[[], bool], *, unsaid: bool = False) -> None:
        """Have the method go on, after what it yields next, no sooner than this is true.

        Args:
            is_ready: asked after each turn of the daemon's loop.
            unsaid: what it yields next is no reply but only for the sake of waiting.
        """
        self._is_ready = is_ready
        self._unsaid = unsaid

    def is_ready(self) -> bool:
        """Tell whether the method can go on at once."""
        return self._is_ready()

    def take_unsaid(self) -> bool:
        """Tell whether what was just yielded is no reply."""
        unsaid, self._unsaid = self._unsaid, False
        return unsaid


def _always() -> bool:
    return True
