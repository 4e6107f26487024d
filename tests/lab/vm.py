# SPDX-License-Identifier: GPL-2.0-or-later
"""A running VM: booted, given commands, watched, and ended whatever happens."""

import math
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import termios
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab import CHECKOUT
from tests.lab.channel import (
    Command,
    Complaint,
    Decoder,
    Frame,
    Kind,
    ProtocolError,
    as_json,
    complaint_from_json,
    encode,
)
from tests.lab.errors import LabError, VmLostError
from tests.lab.klog import console_complaints
from tests.lab.progress import say
from tests.lab.qemu import DISK_BYTES, Machine, command_line
from tests.lab.shares import served

RUNS = CHECKOUT / "build" / "lab"
KEPT_RUNS = 10
BOOT_LIMIT_S = 300.0
SILENCE_LIMIT_S = 120.0
"""A guest that has not even sent a heartbeat for so long hangs; TCG on a busy host stalls for some seconds."""
CONSOLE_TAIL_LINES = 40
READ_BYTES = 1 << 16
LOGS = ("qemu.log", "virtiofsd.log")


@contextmanager
def run_directory() -> Iterator[Path]:
    """A directory for one VM's console log and disk; the log stays, for the newest runs, and the disk goes."""
    RUNS.mkdir(parents=True, exist_ok=True)
    for old in sorted(RUNS.glob("vm-*"))[: -KEPT_RUNS + 1]:
        shutil.rmtree(old, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=time.strftime("vm-%Y%m%d-%H%M%S-"), dir=RUNS))
    disk = path / "disk.img"
    with disk.open("wb") as image:
        image.truncate(DISK_BYTES)
    try:
        yield path
    finally:
        disk.unlink(missing_ok=True)


@dataclass
class Outcome:
    """How a command in the VM ended: its status as a shell tells it, and what the kernel said meanwhile."""

    status: int
    complaints: list[Complaint] = field(default_factory=list)


class Vm:
    """A VM that takes commands; a context manager, so that it never outlives its user."""

    def __init__(self, machine: Machine, directory: Path) -> None:
        self._machine = machine
        self._directory = directory
        self._shares = ExitStack()
        self._decoder = Decoder()
        self._pending: deque[Frame] = deque()
        self.console_log = directory / "console.log"
        self.kernel_release = ""

    def __enter__(self) -> Self:
        self._socket, guest_end = socket.socketpair()
        with guest_end, ExitStack() as opened:
            share_fds = opened.enter_context(_shares(self._machine, self._directory))
            argv = command_line(
                self._machine,
                disk=self._directory / "disk.img",
                console=self.console_log,
                port_fd=guest_end.fileno(),
                console_size=None,
                share_fds=share_fds,
            )
            # A session of its own: Ctrl-C on the terminal ends the VM through this program, never behind its back.
            with (self._directory / "qemu.log").open("wb") as log:
                self._qemu = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(guest_end.fileno(), *share_fds.values()),
                    start_new_session=True,
                )
            self._shares = opened.pop_all()
        try:
            for frame in self._until(Kind.READY, BOOT_LIMIT_S, BOOT_LIMIT_S, "the VM was not ready"):
                self.kernel_release = frame.text
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the VM; its disk is thrown away, so there is nothing to shut down."""
        self._qemu.kill()
        self._qemu.wait()
        self._socket.close()
        self._shares.close()

    def start(self, argv: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start a command in the checkout's directory; what it does comes out of frames()."""
        command = Command(tuple(argv), str(CHECKOUT), dict(environment or {}))
        try:
            self._socket.sendall(encode(Kind.RUN, as_json(command)))
        except OSError:
            raise self._lost("the VM ended") from None

    def frames(self, limit_s: float = math.inf) -> Iterator[Frame]:
        """What the guest sends, its EXIT last; raises VmLostError when it ends, falls silent or takes over `limit_s`.

        May be left and called again: no frame is lost in between.
        """
        return self._until(Kind.EXIT, SILENCE_LIMIT_S, limit_s, "the command was not done")

    def run(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        limit_s: float = math.inf,
        output: Callable[[Frame], None] | None = None,
    ) -> Outcome:
        """Run a command to its end; its stdout and stderr frames go to `output`, else to this program's own."""
        self.start(argv, environment)
        outcome = Outcome(status=-1)
        for frame in self.frames(limit_s):
            if frame.kind is Kind.EXIT:
                outcome.status = int(frame.text)
            elif frame.kind is Kind.COMPLAINT:
                outcome.complaints.append(complaint_from_json(frame.payload))
            elif frame.kind in (Kind.STDOUT, Kind.STDERR):
                (output or forward)(frame)
        return outcome

    def _until(self, last: Kind, silence_s: float, limit_s: float, what_not: str) -> Iterator[Frame]:
        deadline_s = time.monotonic() + limit_s
        while True:
            wait_s = min(silence_s, deadline_s - time.monotonic())
            if wait_s <= 0:
                raise self._lost(f"{what_not} after {limit_s:g} s")
            frame = self._next(wait_s)
            if frame and frame.kind is not Kind.HEARTBEAT:
                yield frame
                if frame.kind is last:
                    return
            elif frame is None and wait_s == silence_s:
                raise self._lost(f"the VM hangs: nothing heard of it for {silence_s:g} s")

    def _next(self, wait_s: float) -> Frame | None:
        """The next frame, or None when there is none for so long."""
        self._socket.settimeout(wait_s)
        while not self._pending:
            try:
                data = self._socket.recv(READ_BYTES)
                self._pending.extend(self._decoder.feed(data))
            except TimeoutError:
                return None
            except (ConnectionError, ProtocolError) as error:
                raise self._lost(f"the VM is lost ({error})") from None
            if not data:
                raise self._lost("the VM ended")
        return self._pending.popleft()

    def _lost(self, what: str) -> VmLostError:
        console = self.console_log.read_text(errors="replace") if self.console_log.exists() else ""
        complaints = console_complaints(console)
        if complaints:
            what += f", after the kernel said '{complaints[0].title}'"
        logs = [self._directory / name for name in LOGS]
        said = [line for log in logs if log.exists() for line in log.read_text(errors="replace").splitlines()]
        tail = "\n".join([*console.splitlines()[-CONSOLE_TAIL_LINES:], *said])
        return VmLostError(f"{what}; its console: {self.console_log}", console_tail=tail)


def _shares(machine: Machine, directory: Path) -> AbstractContextManager[dict[str, int]]:
    return served(machine.sharing, machine.shares, machine.rootfs, directory / LOGS[1])


def forward(frame: Frame) -> None:
    """Write a STDOUT or STDERR frame to this program's own."""
    stream = sys.stdout if frame.kind is Kind.STDOUT else sys.stderr
    stream.buffer.write(frame.payload)
    stream.flush()


def shell(machine: Machine) -> None:
    """An interactive shell on the console of a VM, until it is left or QEMU is quit with Ctrl-A X."""
    if not sys.stdin.isatty():
        raise LabError("the shell needs a terminal; to run one command: python3 -m tests.lab run -- COMMAND")
    size = os.get_terminal_size()
    settings = termios.tcgetattr(sys.stdin)
    say("leave the shell to end the VM, or press Ctrl-A X")
    with run_directory() as directory, _shares(machine, directory) as share_fds:
        argv = command_line(
            machine,
            disk=directory / "disk.img",
            console=directory / "console.log",
            port_fd=None,
            console_size=f"{size.lines}x{size.columns}",
            share_fds=share_fds,
        )
        try:
            subprocess.run(argv, pass_fds=tuple(share_fds.values()), check=False)
        finally:
            termios.tcsetattr(sys.stdin, termios.TCSANOW, settings)
