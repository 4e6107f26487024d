# SPDX-License-Identifier: GPL-2.0-or-later
"""What libbpf wants to print: kept for whoever called it, never printed.

libbpf has one print function per process and calls it in the thread that called libbpf, so what
it says is gathered per thread.
"""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PRINT_FN = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_int,  # enum libbpf_print_level
    ctypes.c_char_p,  # format
    ctypes.c_void_p,  # va_list: every 64-bit Linux ABI passes it as a pointer
)
_LEVEL_DEBUG = 2


class _Sinks(threading.local):
    """The captures in force in this thread, innermost last."""

    def __init__(self) -> None:
        self.stack: list[list[str]] = []


_sinks = _Sinks()
_libc = ctypes.CDLL(None)
_libc.vasprintf.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
_libc.vasprintf.restype = ctypes.c_int
_libc.free.argtypes = [ctypes.c_void_p]
_libc.free.restype = None


def _keep(level: int, form: bytes, arguments: int) -> int:
    if level < _LEVEL_DEBUG and _sinks.stack:
        _sinks.stack[-1].extend(_formatted(form, arguments).splitlines())
    return 0


def _formatted(form: bytes, arguments: int) -> str:
    text = ctypes.c_char_p()
    # vasprintf and not vsnprintf: a va_list can be walked only once, so no first call for the size.
    if _libc.vasprintf(ctypes.byref(text), form, arguments) < 0:
        return ""
    try:
        return (text.value or b"").decode(errors="replace")
    finally:
        _libc.free(text)


#: Kept alive for as long as the process: libbpf holds the bare pointer.
_keep_callback = _PRINT_FN(_keep)


def redirect(library: ctypes.CDLL) -> None:
    """Make a freshly opened libbpf report here instead of on stderr."""
    library.libbpf_set_print.argtypes = [_PRINT_FN]
    library.libbpf_set_print.restype = ctypes.c_void_p
    library.libbpf_set_print(_keep_callback)


@contextmanager
def captured() -> Iterator[list[str]]:
    """Gather the lines libbpf would print in this thread while the context lasts."""
    lines: list[str] = []
    _sinks.stack.append(lines)
    try:
        yield lines
    finally:
        _sinks.stack.remove(lines)
