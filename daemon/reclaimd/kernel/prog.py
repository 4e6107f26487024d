# SPDX-License-Identifier: GPL-2.0-or-later
"""BPF programs: attaching those that trace, running those that are called."""

import ctypes
import errno
from types import TracebackType
from typing import Self

from reclaimd.kernel import libbpf
from reclaimd.kernel.pin import Pinnable


class Attachment:
    """A program attached where its section name says; a context manager that detaches it."""

    def __init__(self, pointer: libbpf.LinkPtr) -> None:
        self._pointer = pointer

    def close(self) -> None:
        """Detach; idempotent."""
        if self._pointer:
            libbpf.bpf_link__destroy(self._pointer)
            self._pointer = libbpf.LinkPtr()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class BpfProgram(Pinnable):
    """A program of a BpfObject."""

    def __init__(self, pointer: libbpf.ProgramPtr) -> None:
        self._pointer = pointer
        self.name = libbpf.bpf_program__name(pointer).decode()

    def fileno(self) -> int:
        """The program's file descriptor; the object closes it.

        Raises:
            OSError: EBADF: it is not loaded.
        """
        try:
            return libbpf.bpf_program__fd(self._pointer)
        except OSError as error:
            raise OSError(errno.EBADF, f"the program {self.name} is not loaded") from error

    def set_autoload(self, *, autoload: bool) -> None:
        """Whether loading the object loads it; before that."""
        libbpf.bpf_program__set_autoload(self._pointer, autoload)

    def attach(self) -> Attachment:
        """Attach where its section name says: a tracepoint, a kernel function.

        Raises:
            OSError: there is no such place, or its section names none.
        """
        return Attachment(libbpf.bpf_program__attach(self._pointer))

    def run(self, context: ctypes.Structure | None = None) -> int:
        """Run it, as run_program() does."""
        return run_program(self.fileno(), context)


def run_program(fd: int, context: ctypes.Structure | None = None) -> int:
    """Run a SEC("syscall") program once; what it returned, as a signed int.

    Args:
        fd: the program's file descriptor.
        context: what the program gets as its argument, and may write to.

    Raises:
        OSError: the kernel cannot run it so.
    """
    opts = libbpf.TestRunOpts(sz=ctypes.sizeof(libbpf.TestRunOpts))
    if context is not None:
        opts.ctx_in = ctypes.addressof(context)
        opts.ctx_size_in = ctypes.sizeof(context)
    libbpf.bpf_prog_test_run_opts(fd, opts)
    return ctypes.c_int32(opts.retval).value
