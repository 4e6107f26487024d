# SPDX-License-Identifier: GPL-2.0-or-later
"""Varlink's messages: a JSON object and a zero byte."""

import json
import math
from typing import NoReturn

END = b"\0"

#: A call of ours has a name or two in it.
MAX_MESSAGE_BYTES = 1 << 14

_FLAGS = ("more", "oneway", "upgrade")


class NotVarlinkError(ValueError):
    """What came is no call; there is no way to answer it."""


def check_call(data: bytes) -> bool:
    """Check that a message is a call in form, whatever it calls.

    Args:
        data: the message without the zero byte.

    Returns:
        Whether the caller wants replies.

    Raises:
        NotVarlinkError: it is none.
    """
    try:
        message = json.loads(data.decode(), parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise NotVarlinkError from error
    if not isinstance(message, dict) or not isinstance(message.get("method"), str):
        raise NotVarlinkError
    if not isinstance(message.get("parameters"), dict | None):
        raise NotVarlinkError
    if not all(isinstance(message.get(flag), bool | None) for flag in _FLAGS):
        raise NotVarlinkError
    return not message.get("oneway")


def _refuse(_constant: str) -> NoReturn:
    # NaN and Infinity, which Python's parser takes for JSON.
    raise NotVarlinkError


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise NotVarlinkError
    return value
