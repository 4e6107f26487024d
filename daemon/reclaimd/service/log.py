# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon's log: structured lines, written by a thread of their own.

A reader of standard error that stops reading must not stop the loop, least of all while memory is short.
So a line is rendered where it arises and handed to a writer thread through a bounded queue; when that is
full the line is dropped, and the next one that is written says how many were. Of one kind of line only so
many are written in a few seconds, and then another says how many were left out.
"""

import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, ProcessorReturnValue, WrappedLogger

from reclaimd.config.models import Log, LogFormat
from reclaimd.service.burst import Bursts
from reclaimd.service.journal import Entry, Send, entry, journal_sender

_LEVELS = logging.getLevelNamesMapping()

MAX_QUEUED_LINES = 1024
# How long close() waits for a reader that does not read.
CLOSE_TIMEOUT_S = 1.0


class LineWriter:
    """Writes lines to a file descriptor, and entries to the journal, without ever making the caller wait.

    It has the methods that structlog asks of the logger it wraps: one for each level, all the same.

    Args:
        fd: where lines go to; stays the caller's to close.
        send: takes an entry's fields; None where entries do not come.
    """

    def __init__(self, fd: int, send: Send | None = None) -> None:
        self._fd = fd
        self._send = send
        self._lines: queue.Queue[str | Entry | None] = queue.Queue(MAX_QUEUED_LINES)
        self.dropped_lines = 0
        # A daemon thread: one that hangs in write() must not keep the process from ending.
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def msg(self, line: str | Entry) -> None:
        """Queue one line or entry; dropped and counted when the queue is full."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self.dropped_lines += 1

    debug = info = warning = error = critical = msg

    def close(self) -> None:
        """Write what is queued and end, as far as the reader lets that happen within CLOSE_TIMEOUT_S."""
        with suppress(queue.Full):
            self._lines.put(None, timeout=CLOSE_TIMEOUT_S)
            self._thread.join(CLOSE_TIMEOUT_S)

    def _write_all(self) -> None:
        while (line := self._lines.get()) is not None:
            # When nobody reads any more (EPIPE, EIO), there is no better place to say so.
            with suppress(OSError):
                self._write(line)

    def _write(self, line: str | Entry) -> None:
        if isinstance(line, tuple):
            if self._send:
                self._send(*(field.encode("utf-8", "backslashreplace") for field in line))
            return
        data = (line + "\n").encode("utf-8", "backslashreplace")
        while data:
            data = data[os.write(self._fd, data) :]


class _DroppedLines:
    """A processor that adds to a line how many have been dropped so far, when that is news."""

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer
        self._told = 0

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        # Should this line be dropped too, the number changes again and the next one tells.
        if self._writer.dropped_lines != self._told:
            event["dropped_lines"] = self._told = self._writer.dropped_lines
        return event


class DaemonLog:
    """The daemon's logger, and how its lines look, which may change while it is in use.

    Args:
        writer: takes the rendered lines.
        settings: which lines, and how they look.
        on_terminal: whether a terminal shows them; decides how they look where settings leave it open.
        on_journal: whether the writer takes entries; likewise.
    """

    def __init__(
        self, writer: LineWriter, settings: Log, *, on_terminal: bool, on_journal: bool = False
    ) -> None:
        self._writer = writer
        self._on_terminal = on_terminal
        self._on_journal = on_journal
        self._bursts = Bursts()
        self.change(settings)
        logger = structlog.wrap_logger(
            writer,
            processors=[
                self._choose,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _DroppedLines(writer),
                self._render,
            ],
            # Its own filter is made once and for all: this one lets everything through.
            wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        )
        self.logger = cast(FilteringBoundLogger, logger.bind())

    @property
    def dropped_lines(self) -> int:
        """How many lines were dropped because whoever reads them was too slow."""
        return self._writer.dropped_lines

    def change(self, settings: Log) -> None:
        """Have the lines from here on be chosen and look as these settings say."""
        self._level = _LEVELS[settings.level.upper()]
        self._renderer = self._renderer_for(settings.format)

    def wait_s(self) -> float | None:
        """How long until tell_left_out() has something to say; None if it has not."""
        return self._bursts.wait_s(time.monotonic())

    def tell_left_out(self) -> None:
        """Say which lines were left out because too many of a kind came at a time."""
        for kind, number in self._bursts.take_left_out(time.monotonic()).items():
            self.logger.warning("lines left out", of=kind, number=number)

    def _choose(self, _logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        if _LEVELS[method.upper()] < self._level:
            raise structlog.DropEvent
        if not self._bursts.admit(event.get("kind", event["event"]), time.monotonic()):
            raise structlog.DropEvent
        return event

    def _render(self, logger: WrappedLogger, method: str, event: EventDict) -> ProcessorReturnValue:
        return self._renderer(logger, method, event)

    def _renderer_for(self, log_format: LogFormat) -> Processor:
        if log_format is LogFormat.AUTO and self._on_journal:
            return _to_entry
        if log_format is LogFormat.CONSOLE or (log_format is LogFormat.AUTO and self._on_terminal):
            return structlog.dev.ConsoleRenderer(colors=self._on_terminal)
        return structlog.processors.JSONRenderer()


def _to_entry(_logger: WrappedLogger, _method: str, event: EventDict) -> ProcessorReturnValue:
    # structlog takes a tuple for the arguments of LineWriter.msg().
    return (entry(event),), {}


@contextmanager
def stderr_log(settings: Log) -> Iterator[DaemonLog]:
    """Make the log that goes to standard error, and write what is queued when the context ends."""
    fd = sys.stderr.fileno()
    send = journal_sender(fd)
    writer = LineWriter(fd, send)
    try:
        yield DaemonLog(writer, settings, on_terminal=os.isatty(fd), on_journal=send is not None)
    finally:
        writer.close()
