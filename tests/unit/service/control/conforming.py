# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a reply is what the interface's description says, more strictly than the library looks."""

from collections.abc import Callable, Iterable, Iterator
from importlib.resources import files
from typing import Any

from varlink import Interface

DESCRIPTION = files("reclaimd.service.control").joinpath("io.reclaimd.varlink").read_text()
INTERFACE = Interface(DESCRIPTION)


def complaints(method: str, reply: dict[str, Any]) -> list[str]:
    """Return what is wrong with a reply of a method."""
    return list(_complaints(INTERFACE.get_method(method).out_type, reply, method))


def _complaints(kind: Any, value: Any, at: str) -> Iterator[str]:  # noqa: ANN401  the library has no types
    name = type(kind).__name__
    if name == "_CustomType":
        yield from _complaints(INTERFACE.members[kind.name].type, value, at)
    elif name == "_Struct":
        yield from _struct_complaints(kind, value, at)
    elif name in _CONTAINERS:
        for place, element in _CONTAINERS[name](value):
            yield from _complaints(kind.element_type, element, f"{at}{place}")
    elif name == "_Enum":
        if value not in kind.fields:
            yield f"{at} is {value}"
    elif type(value) is not type(kind):
        yield f"{at} is {value!r}, no {name}"


_CONTAINERS: dict[str, Callable[[Any], Iterable[tuple[str, Any]]]] = {
    "_Maybe": lambda value: [] if value is None else [("", value)],
    "_Array": lambda value: [(f"[{at}]", element) for at, element in enumerate(value)],
    "_Dict": lambda value: [(f"[{key}]", element) for key, element in value.items()],
}


def _struct_complaints(kind: Any, value: dict[str, Any], at: str) -> Iterator[str]:  # noqa: ANN401  likewise
    for unknown in value.keys() - kind.fields.keys():
        yield f"{at}.{unknown} is unknown"
    for field, field_kind in kind.fields.items():
        if field in value:
            yield from _complaints(field_kind, value[field], f"{at}.{field}")
        elif type(field_kind).__name__ != "_Maybe":
            yield f"{at}.{field} is missing"
