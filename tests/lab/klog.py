# SPDX-License-Identifier: GPL-2.0-or-later
"""What a kernel log must not contain, found on the console (host) and in /dev/kmsg (guest)."""

import errno
import os
import re
from pathlib import Path

from tests.lab.channel import Complaint

EXCERPT_LINES = 60

BAD = re.compile(
    r"""
      \bBUG\b                  # oopses, KASAN, lockups, sleeping in atomic context, bad pages
    | \bOops\b
    | \bKernel\ panic\b
    | \bgeneral\ protection\ fault\b
    | ^WARNING:                # WARN_ON, lockdep, RCU usage
    | \bDEBUG_LOCKS_WARN_ON\b
    | ^INFO:\ trying\ to\ register\ non-static\ key
    | ^INFO:\ (task\b|rcu).*\b(blocked|stalls?)\b
    | ^rcu:\ INFO:.*\bstalls?\b
    | \b(KASAN|UBSAN|ODEBUG|refcount_t):
    | \blist_(add|del)\ corruption\b
    """,
    re.VERBOSE,
)
CONSOLE_STAMP = re.compile(r"^\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?")
"""How the kernel's own lines begin on the console; what user space prints there has no such beginning."""


def is_bad(text: str) -> bool:
    """Whether a line of the kernel log, without its time stamp, is the sign of a defect."""
    return BAD.search(text) is not None


class Excerpts:
    """Cuts complaints out of a kernel log: from a bad line on, together with the trace that follows it."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._sequence = 0
        self._done: list[Complaint] = []

    def feed(self, sequence: int, text: str) -> None:
        """The next line, in order."""
        if not self._open and not is_bad(text):
            return
        if not self._open:
            self._sequence = sequence
        self._open.append(text)
        if len(self._open) >= EXCERPT_LINES or text.startswith("---[ end trace"):
            self._close()

    def take(self) -> list[Complaint]:
        """The complaints since the last call; an unfinished one ends here."""
        self._close()
        done, self._done = self._done, []
        return done

    def _close(self) -> None:
        if self._open:
            self._done.append(Complaint(self._sequence, "\n".join(self._open)))
            self._open = []


def console_complaints(console: str) -> list[Complaint]:
    """What the kernel complained of on the console; the sequence numbers are line numbers."""
    excerpts = Excerpts()
    for number, line in enumerate(console.splitlines(), start=1):
        stamp = CONSOLE_STAMP.match(line)
        if stamp:
            excerpts.feed(number, line[stamp.end() :])
    return excerpts.take()


class Kmsg:
    """The guest's kernel log as it grows."""

    def __init__(self, device: Path = Path("/dev/kmsg")) -> None:
        self._fd = os.open(device, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self) -> int:
        """For a selector."""
        return self._fd

    def skip(self) -> None:
        """Leave out everything that is in the log by now."""
        os.lseek(self._fd, 0, os.SEEK_END)

    def complaints(self) -> list[Complaint]:
        """What the kernel complained of since the last call; never blocks."""
        excerpts = Excerpts()
        while (record := self._next()) is not None:
            prefix, _, body = record.partition(";")
            priority, sequence = prefix.split(",")[:2]
            if int(priority) < 8:  # facility 0, the kernel itself: user space may write here too
                excerpts.feed(int(sequence), body.partition("\n")[0])
        return excerpts.take()

    def _next(self) -> str | None:
        while True:
            try:
                return os.read(self._fd, 16384).decode("utf-8", errors="replace")
            except BlockingIOError:
                return None
            except OSError as error:
                if error.errno != errno.EPIPE:  # EPIPE: overwritten before they were read; go on after them
                    raise
