# SPDX-License-Identifier: GPL-2.0-or-later

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclaimd.service.control.message import NotVarlinkError, check_call


def test_a_call_wants_replies() -> None:
    assert check_call(b'{"method": "io.reclaimd.Status", "parameters": {}}')


def test_a_call_may_have_no_parameters() -> None:
    assert check_call(b'{"method": "io.reclaimd.Status", "parameters": null}')


def test_a_oneway_call_wants_none() -> None:
    assert not check_call(b'{"method": "io.reclaimd.Status", "oneway": true}')


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET / HTTP/1.1\r\n",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b'{"method": 1}',
        b'{"method": "a.B", "parameters": []}',
        b'{"method": "a.B", "more": 1}',
        b'{"method": "a.B", "parameters": {"n": NaN}}',
        b'{"method": "a.B", "parameters": {"n": 1e999}}',
        b"[" * 10000,
        b'{"method": "a.B", "parameters": {"n": ' + b"9" * 5000 + b"}}",
    ],
)
def test_anything_else_is_no_call(data: bytes) -> None:
    with pytest.raises(NotVarlinkError):
        check_call(data)


@given(st.binary())
def test_bytes_are_a_call_or_refused(data: bytes) -> None:
    try:
        check_call(data)
    except NotVarlinkError:
        return
    assert isinstance(json.loads(data)["method"], str)
