# SPDX-License-Identifier: GPL-2.0-or-later
"""C functions as typed Python functions.

A function of a shared library is written once, as a stub whose type hints say both what Python
passes and how C sees it::

    @LIBBPF.function
    def bpf_map__fd(map_p: MapPtr) -> Status:
        raise NotImplementedError

Hints are either ctypes classes, or ``Annotated[python_type, c_type]``. A result may carry a check
as a third element, which turns C's way to report an error into OSError.
"""

import ctypes
import os
from collections.abc import Callable
from functools import cached_property, update_wrapper
from typing import Annotated, Any, Generic, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

from reclaimd.errors import HostError

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

#: What turns a raw C result into the Python one: (function name, raw result) -> result.
Check = Callable[[str, Any], Any]


class ByReference:
    """Pass a ctypes object (or None for a null pointer) as a pointer to it."""

    @classmethod
    def from_param(cls, value: Any) -> Any:  # noqa: ANN401  any ctypes object: ctypes names no common base
        """Convert the argument, as ctypes asks its argument types to do."""
        return None if value is None else ctypes.byref(value)


def negative_is_errno(name: str, result: int) -> int:
    """Check for functions that return a negative errno.

    Raises:
        OSError: the result was negative.
    """
    if result < 0:
        raise _os_error(-result, name)
    return result


def null_sets_errno(name: str, pointer: T) -> T:
    """Check for functions that return a null pointer and set errno.

    Raises:
        OSError: the pointer was null.
    """
    if not pointer:
        raise _os_error(ctypes.get_errno(), name)
    return pointer


def _os_error(errno: int, function: str) -> OSError:
    # OSError itself picks the subclass: PermissionError for EPERM, and so on.
    return OSError(errno, f"{function}: {os.strerror(errno)}")


class SharedLibrary:
    """A shared library that is opened by the first call into it.

    Args:
        soname: what the dynamic linker is asked for.
        package: the distribution's package that has it, for the error's hint.
        prepare: called once with the opened library, before anything else is.
    """

    def __init__(self, soname: str, package: str, prepare: Callable[[ctypes.CDLL], None]) -> None:
        self._soname = soname
        self._package = package
        self._prepare = prepare

    @cached_property
    def handle(self) -> ctypes.CDLL:
        """The opened library.

        Raises:
            HostError: this machine does not have it.
        """
        try:
            library = ctypes.CDLL(self._soname, use_errno=True)
        except OSError as error:
            raise HostError(
                f"cannot load {self._soname}: {error}", hint=f"install the package {self._package}"
            ) from error
        self._prepare(library)
        return library

    def symbol(self, name: str) -> Any:  # noqa: ANN401  ctypes' function pointer class is private
        """The named C function, untyped.

        Raises:
            HostError: the library lacks the function (it is older than what is called).
        """
        try:
            return self.handle[name]
        except AttributeError as error:
            raise HostError(
                f"{self._soname} has no function {name}", hint=f"upgrade the package {self._package}"
            ) from error

    def function(self, stub: Callable[P, R]) -> "CFunction[P, R]":
        """Make a stub callable: see the module's description."""
        return CFunction(self, stub)


class CFunction(Generic[P, R]):
    """One function of a SharedLibrary, typed by its stub; bound when it is first called."""

    def __init__(self, library: SharedLibrary, stub: Callable[P, R]) -> None:
        self._library = library
        self._stub = stub
        update_wrapper(self, stub)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call C.

        Raises:
            OSError: C reported an error, and the stub's result hint has a check for it.
            HostError: the library or the function is not there.
        """
        function, check = self._bound
        result = function(*args, **kwargs)
        return check(self._stub.__name__, result) if check else result  # type: ignore[no-any-return]  # C's results have no static type

    @cached_property
    def _bound(self) -> tuple[Callable[..., Any], Check | None]:
        hints = get_type_hints(self._stub, include_extras=True)
        result, check = _c_type(hints.pop("return"))
        function = self._library.symbol(self._stub.__name__)
        function.argtypes = [_c_type(hint)[0] for hint in hints.values()]
        function.restype = result
        return function, check


def _c_type(hint: Any) -> tuple[Any, Check | None]:  # noqa: ANN401  type hints have no common type
    if get_origin(hint) is not Annotated:
        return (None if hint is type(None) else hint), None
    c_type, *check = get_args(hint)[1:]
    return c_type, check[0] if check else None
