# SPDX-License-Identifier: GPL-2.0-or-later
"""The episodes that a backend tells of."""

from reclaimd.backend.base import Backend, EpisodeEnded
from tests.kernel.cgroups import until
from tests.system.daemon import PATIENCE_S


def take_ended(backend: Backend) -> list[EpisodeEnded]:
    """Return those that have ended since the last look at its events."""
    return [event for event in backend.events() if isinstance(event, EpisodeEnded)]


def wait_for_ended(backend: Backend, number: int = 1) -> list[EpisodeEnded]:
    """Return the next ones that end, as soon as there are so many."""
    ended: list[EpisodeEnded] = []
    for _ in until(PATIENCE_S):
        ended += take_ended(backend)
        if len(ended) >= number:
            return ended
    raise AssertionError  # until() does not come to its end
