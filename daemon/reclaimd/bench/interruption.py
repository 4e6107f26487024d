# SPDX-License-Identifier: GPL-2.0-or-later
"""SIGINT and SIGTERM: they end the runs, and neither what has to be there before them nor the cleaning up."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Takes the signals while the context lasts; the first that comes where it is allowed to is a KeyboardInterrupt."""

    def __init__(self) -> None:
        self._came = False
        self._allowed = False

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._take) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Let a signal interrupt what is done while this context lasts.

        Raises:
            KeyboardInterrupt: one came, now or before.
        """
        self._allowed = True
        self.check()
        try:
            yield
        finally:
            self._allowed = False

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal came."""
        if self._came:
            raise KeyboardInterrupt

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        first, self._came = not self._came, True
        if self._allowed and first:
            raise KeyboardInterrupt
