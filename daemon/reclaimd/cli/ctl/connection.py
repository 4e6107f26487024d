# SPDX-License-Identifier: GPL-2.0-or-later
"""The connection to the daemon, and its refusals as errors of ours."""

import argparse
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar, Self

from varlink import Interface, SimpleClientInterfaceHandler, VarlinkError

from reclaimd.cli.message import NotReloadedError
from reclaimd.errors import NotPermittedError, ReclaimdError
from reclaimd.service.control.address import DEFAULT_PATH, GROUP

INTERFACE = "io.reclaimd"

#: How long the daemon may take for what it does at once.
TIMEOUT_S = 60.0

_TIMEVAL = struct.Struct("ll")

Reply = dict[str, Any]


class NotRunningError(ReclaimdError):
    """There is no daemon to talk to."""

    exit_status: ClassVar[int] = os.EX_UNAVAILABLE


class UnknownNameError(ReclaimdError):
    """The daemon governs no such cgroup, or has no such policy."""

    exit_status: ClassVar[int] = os.EX_NOINPUT


class Connection:
    """A connection to the daemon; a context manager that ends it.

    Args:
        path: of the socket.

    Raises:
        NotRunningError: nobody listens there.
        NotPermittedError: not for this user.
    """

    def __init__(self, path: Path) -> None:
        self._socket = _connected(path)
        description = files("reclaimd.service.control").joinpath(f"{INTERFACE}.varlink").read_text()
        self._methods = SimpleClientInterfaceHandler(Interface(description), self._socket)

    def call(self, method: str, parameters: Reply | None = None, *, waits: bool = False) -> Reply:
        """Call a method and return its reply.

        Args:
            method: its name.
            parameters: by name; None as a value is as good as none.
            waits: whether it may take any time.

        Raises:
            ReclaimdError: the daemon refuses, or has gone.
        """
        self._socket.settimeout(None if waits else TIMEOUT_S)
        with _translated():
            reply: Reply = getattr(self._methods, method)(**(parameters or {}))
        return reply

    def call_more(
        self, method: str, parameters: Reply | None = None, *, waits: bool = False
    ) -> Iterator[Reply]:
        """Call a method that replies more than once, and yield its replies; otherwise as call()."""
        self._socket.settimeout(None if waits else TIMEOUT_S)
        with _translated():
            yield from getattr(self._methods, method)(**(parameters or {}), _more=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def add_socket(parser: argparse.ArgumentParser) -> None:
    """Add the option that says where the daemon listens."""
    parser.add_argument(
        "--socket",
        type=Path,
        metavar="PATH",
        default=DEFAULT_PATH,
        help="where the daemon listens (default: %(default)s)",
    )


def _connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Not by settimeout(), with which it fails at once when many others wait too.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.pack(int(TIMEOUT_S), 0))
        connection.connect(os.fspath(path))
    except OSError as error:
        connection.close()
        if isinstance(error, BlockingIOError):
            raise ReclaimdError("the daemon does not answer", hint="see its log") from None
        if isinstance(error, PermissionError):
            hint = f"be root or in the group {GROUP}"
            raise NotPermittedError(f"{path}: {error.strerror}", hint=hint) from None
        hint = "systemctl start reclaimd, or give --socket"
        raise NotRunningError(f"no daemon listens on {path}", hint=hint) from None
    return connection


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except VarlinkError as error:
        raise _refusal(error.error(), error.parameters() or {}) from None
    except TimeoutError:
        raise ReclaimdError("the daemon does not answer", hint="see its log") from None
    except OSError as error:
        raise NotRunningError(f"the daemon ended the connection: {error}") from None


def _refusal(name: str, parameters: Reply) -> ReclaimdError:
    interface, _, error = name.rpartition(".")
    if interface == INTERFACE and error in _REFUSALS:
        return _REFUSALS[error](parameters)
    return ReclaimdError(f"the daemon refuses: {name} {parameters or ''}".rstrip())


_REFUSALS: dict[str, Callable[[Reply], ReclaimdError]] = {
    "NotPermitted": lambda _: NotPermittedError("only root may change anything", hint="run it as root"),
    "NoSuchCgroup": lambda told: UnknownNameError(
        f"{told['cgroup']} is not governed", hint="reclaimctl list shows what is"
    ),
    "NoSuchPolicy": lambda told: UnknownNameError(
        f"there is no policy '{told['policy']}'", hint="reclaimctl status shows those there are"
    ),
    "NotReloaded": lambda told: NotReloadedError("\n".join(told["problems"])),
    "Refused": lambda told: ReclaimdError(told["reason"]),
}
