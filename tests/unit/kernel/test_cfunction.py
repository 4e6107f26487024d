# SPDX-License-Identifier: GPL-2.0-or-later

import ctypes
import errno
from ctypes import c_char_p, c_int, c_size_t, c_void_p
from typing import Annotated

import pytest

from reclaimd.errors import HostError
from reclaimd.kernel.cfunction import ByReference, SharedLibrary, negative_is_errno, null_sets_errno

LIBC = SharedLibrary("libc.so.6", "libc6", lambda _: None)


@LIBC.function
def strlen(text: Annotated[bytes, c_char_p]) -> Annotated[int, c_size_t]:
    raise NotImplementedError


@LIBC.function
def memcmp(
    one: Annotated[bytes, c_char_p], other: Annotated[bytes, c_char_p], size: Annotated[int, c_size_t]
) -> Annotated[int, c_int, negative_is_errno]:
    raise NotImplementedError


@LIBC.function
def opendir(path: Annotated[bytes, c_char_p]) -> Annotated[c_void_p, c_void_p, null_sets_errno]:
    raise NotImplementedError


@LIBC.function
def time(now: Annotated[ctypes.c_long | None, ByReference]) -> Annotated[int, ctypes.c_long]:
    raise NotImplementedError


@LIBC.function
def no_such_function() -> None:
    raise NotImplementedError


def test_stub_calls_the_c_function_of_its_name() -> None:
    assert strlen(b"four") == 4


def test_arguments_are_checked_against_the_hints() -> None:
    with pytest.raises(ctypes.ArgumentError):
        strlen(4)  # type: ignore[arg-type]  # wrong on purpose


def test_reference_argument_is_written_to() -> None:
    now = ctypes.c_long(0)
    assert time(now) == now.value > 0


def test_reference_argument_may_be_null() -> None:
    assert time(None) > 0


def test_negative_result_is_an_errno() -> None:
    assert memcmp(b"b", b"a", 1) > 0
    with pytest.raises(OSError, match="memcmp: "):
        memcmp(b"a", b"b", 1)


def test_negative_errno_becomes_the_fitting_exception() -> None:
    with pytest.raises(PermissionError, match="some_function: Operation not permitted") as caught:
        negative_is_errno("some_function", -errno.EPERM)
    assert caught.value.errno == errno.EPERM


def test_null_result_raises_with_errno_and_name() -> None:
    with pytest.raises(FileNotFoundError, match="opendir: No such file or directory"):
        opendir(b"/nonexistent")


def test_missing_library_names_the_package() -> None:
    library = SharedLibrary("libnothing.so.9", "libnothing9", lambda _: None)

    @library.function
    def anything() -> None:
        raise NotImplementedError

    with pytest.raises(HostError, match="install the package libnothing9"):
        anything()


def test_missing_function_names_the_package() -> None:
    with pytest.raises(HostError, match="no function no_such_function; upgrade the package libc6"):
        no_such_function()


def test_library_is_prepared_once_before_the_first_call() -> None:
    prepared: list[ctypes.CDLL] = []
    library = SharedLibrary("libc.so.6", "libc6", prepared.append)

    @library.function
    def getpid() -> Annotated[int, c_int]:
        raise NotImplementedError

    assert not prepared
    assert getpid() == getpid()
    assert len(prepared) == 1
