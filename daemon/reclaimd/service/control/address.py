# SPDX-License-Identifier: GPL-2.0-or-later
"""The socket's file: where it is, and who may connect."""

import errno
import grp
import os
import socket
from contextlib import suppress
from pathlib import Path

from reclaimd.errors import NotPermittedError, ReclaimdError

DEFAULT_PATH = Path("/run/reclaimd/io.reclaimd")

#: Whose members may connect and look.
GROUP = "reclaimd"
MODE = 0o660
BACKLOG = 128


class ControlSocket:
    """Listens from its making to close(); the file is there as long.

    Args:
        path: where; its directory is made if it is missing, and what a daemon that was killed left is replaced.

    Raises:
        NotPermittedError: this process may not make it.
        ReclaimdError: another daemon listens there, or it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            self._listen()
        except OSError as error:
            self._socket.close()
            raise _listen_error(error, path) from error
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Return the fd that is readable when a client waits."""
        return self._socket.fileno()

    def accept(self) -> socket.socket:
        """Return the connection to a client that waits, non-blocking.

        Raises:
            BlockingIOError: none waits.
            OSError: out of descriptors or memory.
        """
        connection, _ = self._socket.accept()
        os.set_blocking(connection.fileno(), False)
        return connection

    def close(self) -> None:
        """Stop listening, and remove the file unless another daemon has made its own; idempotent."""
        if self._socket.fileno() >= 0:
            self._socket.close()
            with suppress(OSError):
                if self._path.stat().st_ino == self._inode:
                    self._path.unlink()

    def _listen(self) -> None:
        self._path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._remove_stale()
        self._socket.bind(os.fspath(self._path))
        # Nobody can connect before it listens, so nobody gets in by the mode that it was made with.
        self._path.chmod(MODE)
        if os.geteuid() == 0 and (group_id := _group_id()) is not None:
            os.chown(self._path, 0, group_id)
        self._inode = self._path.stat().st_ino
        self._socket.listen(BACKLOG)

    def _remove_stale(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
            try:
                probe.connect(os.fspath(self._path))
            except FileNotFoundError:
                return
            except ConnectionRefusedError:
                if self._path.is_socket():
                    self._path.unlink()
                return
            except BlockingIOError:
                pass
        raise ReclaimdError(f"another reclaimd listens on {self._path}", hint="stop it, or give --socket")


def _group_id() -> int | None:
    try:
        return grp.getgrnam(GROUP).gr_gid
    except KeyError:
        return None


def _listen_error(error: OSError, path: Path) -> ReclaimdError:
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        hint = "run as root, or give --socket"
        return NotPermittedError(f"cannot listen on {path}: {error.strerror}", hint=hint)
    return ReclaimdError(f"cannot listen on {path}: {error.strerror or error}", hint="give --socket")
