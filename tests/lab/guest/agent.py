# SPDX-License-Identifier: GPL-2.0-or-later
"""PID 1 of the guest once it is set up, or a service: runs the host's commands and sends back all that comes of them.

It ends by being killed with the VM; an error in it ends the VM, and the host shows the console.
"""

import os
import selectors
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.lab.channel import (
    HEARTBEAT_S,
    PORT_NAME,
    Command,
    Decoder,
    Kind,
    as_json,
    command_from_json,
    encode,
)
from tests.lab.klog import Kmsg

READ_BYTES = 1 << 16
STATUS_NOT_FOUND = 127


def find_port(name: str, ports: Path = Path("/sys/class/virtio-ports")) -> Path:
    """The device of the virtio-serial port `name`; there is no udev here to make a link for it."""
    for port in ports.iterdir():
        if (port / "name").read_text().strip() == name:
            return Path("/dev") / port.name
    raise FileNotFoundError(f"no virtio-serial port is called {name}")


class Port:
    """The guest's end of the channel."""

    def __init__(self, device: Path) -> None:
        self._fd = os.open(device, os.O_RDWR | os.O_CLOEXEC)
        self._decoder = Decoder()

    def fileno(self) -> int:
        """For a selector."""
        return self._fd

    def send(self, kind: Kind, payload: bytes = b"") -> None:
        """Returns when the host has room for all of the frame."""
        rest = memoryview(encode(kind, payload))
        while rest:
            rest = rest[os.write(self._fd, rest) :]

    def commands(self) -> list[Command]:
        """The commands that have arrived whole."""
        return [
            command_from_json(frame.payload) for frame in self._decoder.feed(os.read(self._fd, READ_BYTES))
        ]


class Running:
    """A command that was started, and the pipes that it writes to."""

    def __init__(self, command: Command) -> None:
        out, err, report = os.pipe(), os.pipe(), os.pipe()
        self.pipes = {out[0]: Kind.STDOUT, err[0]: Kind.STDERR, report[0]: Kind.REPORT}
        self._report_rest = b""
        try:
            self.process = subprocess.Popen(
                command.argv,
                cwd=command.cwd,
                env={**os.environ, **command.environment, "RECLAIMD_LAB_REPORT_FD": str(report[1])},
                stdin=subprocess.DEVNULL,
                stdout=out[1],
                stderr=err[1],
                pass_fds=(report[1],),
                start_new_session=True,
            )
        except OSError:
            for fd in self.pipes:
                os.close(fd)
            raise
        finally:
            for _, write_fd in (out, err, report):
                os.close(write_fd)
        for fd in self.pipes:
            os.set_blocking(fd, False)
        self.pid_fd = os.pidfd_open(self.process.pid)

    def forward(self, fd: int, port: Port) -> bool:
        """Send on what is in the pipe; False at its end."""
        try:
            data = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return True
        if self.pipes[fd] is Kind.REPORT:
            *lines, self._report_rest = (self._report_rest + data).split(b"\n")
            for line in lines:
                port.send(Kind.REPORT, line)
        elif data:
            port.send(self.pipes[fd], data)
        return bool(data)


class Agent:
    """Runs one command at a time and watches the kernel log beside it."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._kmsg = Kmsg()
        self._running: Running | None = None
        self._selector = selectors.DefaultSelector()
        self._watch(port, self._start_commands)
        self._watch(self._kmsg, self._forward_complaints)

    def serve(self) -> None:
        """Run for ever."""
        self._port.send(Kind.READY, os.uname().release.encode())
        beat_s = time.monotonic()
        while True:
            for key, _ in self._selector.select(HEARTBEAT_S):
                handle: Callable[[], None] = key.data
                handle()
            self._reap()
            if time.monotonic() - beat_s >= HEARTBEAT_S:
                beat_s = time.monotonic()
                self._port.send(Kind.HEARTBEAT)

    def _watch(self, file: "int | Port | Kmsg", handle: Callable[[], None]) -> None:
        self._selector.register(file, selectors.EVENT_READ, handle)

    def _forward_complaints(self) -> None:
        for complaint in self._kmsg.complaints():
            self._port.send(Kind.COMPLAINT, as_json(complaint))

    def _start_commands(self) -> None:
        for command in self._port.commands():
            self._start(command)

    def _start(self, command: Command) -> None:
        try:
            running = Running(command)
        except OSError as error:
            self._port.send(Kind.STDERR, f"lab: {command.argv[0]}: {error.strerror}\n".encode())
            self._port.send(Kind.EXIT, str(STATUS_NOT_FOUND).encode())
            return
        self._running = running
        for fd in running.pipes:
            self._watch(fd, partial(self._forward, running, fd))
        self._watch(running.pid_fd, lambda: None)  # wakes the loop, which then reaps

    def _forward(self, running: Running, fd: int) -> None:
        if not running.forward(fd, self._port):
            self._selector.unregister(fd)

    def _reap(self) -> None:
        """Collect every process that has ended: where this one is PID 1, it inherits all orphans."""
        while ended := self._ended_pid():
            if self._running and ended == self._running.process.pid:
                self._finish(self._running)
                self._running = None
            else:
                os.waitpid(ended, 0)

    @staticmethod
    def _ended_pid() -> int:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return 0
        return ended.si_pid if ended else 0

    def _finish(self, running: Running) -> None:
        status = running.process.wait()
        for fd in running.pipes:
            if fd in self._selector.get_map():
                # One read empties a pipe; what a process left behind writes later belongs to nobody.
                running.forward(fd, self._port)
                self._selector.unregister(fd)
            os.close(fd)
        self._selector.unregister(running.pid_fd)
        os.close(running.pid_fd)
        self._forward_complaints()
        self._port.send(Kind.EXIT, str(status if status >= 0 else 128 - status).encode())


if __name__ == "__main__":
    Agent(Port(find_port(PORT_NAME))).serve()
