# SPDX-License-Identifier: GPL-2.0-or-later
"""Long steps: their output goes to a log file, a few lines of it to the terminal."""

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from tests.lab.errors import LabError

TTY_REFRESH_S = 0.2
PLAIN_REFRESH_S = 20.0
TAIL_LINES = 30


def say(text: str) -> None:
    """One line of the lab's own, on stderr: stdout belongs to the commands that run in the lab."""
    print(f"lab: {text}", file=sys.stderr, flush=True)


class Ticker:
    """Shows where a step is: a line that is rewritten on a terminal, a line now and then elsewhere."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._tty = sys.stderr.isatty()
        self._started_s = self._shown_s = time.monotonic()
        self._lines = 0

    def line(self, text: str) -> None:
        """The step has printed this line."""
        self._lines += 1
        now_s = time.monotonic()
        if now_s - self._shown_s < (TTY_REFRESH_S if self._tty else PLAIN_REFRESH_S):
            return
        self._shown_s = now_s
        shown = f"lab: {self._label}: {self._elapsed()}, line {self._lines}: {' '.join(text.split())}"[:110]
        if self._tty:
            print(f"\r\033[K{shown}", end="", file=sys.stderr, flush=True)
        else:
            print(shown, file=sys.stderr, flush=True)

    def end(self, word: str) -> None:
        """The step is over, in one word."""
        if self._tty:
            print("\r\033[K", end="", file=sys.stderr)
        say(f"{self._label}: {word} after {self._elapsed()}")

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._started_s), 60)
        return f"{minutes}:{seconds:02}"


def run_step(argv: Sequence[str], *, label: str, log: Path) -> None:
    """Run a long command with its output appended to `log`; its last lines are shown when it fails (LabError)."""
    say(f"{label} (log: {log})")
    ticker = Ticker(label)
    tail: deque[str] = deque(maxlen=TAIL_LINES)
    output, inside = os.pipe()
    with log.open("a", buffering=1) as sink, os.fdopen(output, errors="replace") as lines:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=inside, stderr=inside)
        os.close(inside)
        for line in lines:
            sink.write(line)
            tail.append(line)
            ticker.line(line)
    if process.wait():
        ticker.end("failed")
        sys.stderr.writelines(tail)
        raise LabError(f"{label} failed with status {process.returncode}: all of its output is in {log}")
    ticker.end("done")
