# SPDX-License-Identifier: GPL-2.0-or-later
"""What a plain YAML scalar means by the core schema of YAML 1.2.

PyYAML implements YAML 1.1, to which `no` is false, `010` is 8 and `1:30` is 90. In the core schema
they are text, 10 and text, which is what people mean who write them.
"""

import re

Scalar = None | bool | int | float | str

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUES = frozenset({"true", "True", "TRUE"})
_FALSES = frozenset({"false", "False", "FALSE"})
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"[-+]?\.(inf|Inf|INF)")
_NAN = re.compile(r"\.(nan|NaN|NAN)")

#: Python refuses to convert thousands of digits; nothing that is configured needs more than these.
_MAX_NUMBER_CHARS = 40


def resolve_plain(text: str) -> Scalar:
    """Return the value of a scalar that is not in quotes."""
    if text in _NULLS:
        return None
    if text in _TRUES or text in _FALSES:
        return text in _TRUES
    return text if len(text) > _MAX_NUMBER_CHARS else _number_or_text(text)


def _number_or_text(text: str) -> int | float | str:
    if _DECIMAL.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text):
        return int(text, base=0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITY.fullmatch(text) or _NAN.fullmatch(text):
        return float(text.replace(".", ""))
    return text
