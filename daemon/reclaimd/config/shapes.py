# SPDX-License-Identifier: GPL-2.0-or-later
"""How values look when they are written, as JSON schema (draft 7).

A shape lets through whatever the parser of the value does. It cannot say all that the parser does: that a
number is in range, or that a stop is below its start.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reclaimd.config.combination import (
    EVENTS_WINDOW,
    EVENTS_WINDOWS_MS,
    MAX_CONDITIONS,
    MAX_EVENTS,
    PSI_WINDOW,
    PSI_WINDOWS_MS,
)
from reclaimd.config.units import BYTES_BY_UNIT, MS_BY_UNIT, Base, Duration, format_duration

Schema = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Shape:
    """Says, among a field's metadata, how its value is written."""

    schema: Mapping[str, Any]


_NUMBER = r"[0-9]{1,20}(\.[0-9]{1,9})?"
_SIZE = rf"{_NUMBER} ?({'|'.join(BYTES_BY_UNIT)})"
_SHARE = f"{_NUMBER} ?%"
_BASES = "|".join(base.replace(".", r"\.") for base in Base)
_PER_SECOND = " ?/ ?s"


def _text(pattern: str, *examples: str) -> Schema:
    return {"type": "string", "pattern": f"^({pattern})$", "examples": list(examples)}


def _whole_number(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def _object(properties: Mapping[str, Schema], one_of: Iterable[str]) -> Schema:
    """Return a mapping that has exactly one of some keys."""
    return {
        "type": "object",
        "properties": dict(properties),
        "additionalProperties": False,
        "oneOf": [{"required": [key]} for key in one_of],
    }


def _reference(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def choice(values: Iterable[str]) -> Shape:
    """Return the shape of one of some words."""
    return Shape({"enum": list(values)})


def number(least: int, most: int) -> Shape:
    """Return the shape of a whole number."""
    return Shape(_whole_number(least, most))


def text(pattern: str, *examples: str) -> Shape:
    """Return the shape of a text that a regular expression matches as a whole."""
    return Shape(_text(pattern, *examples))


#: true or false.
FLAG = Shape({"type": "boolean"})

#: What shapes refer to by name.
DEFINITIONS: dict[str, Schema] = {
    "size": _text(_SIZE, "24MiB", "1.5GiB"),
    "threshold": _text(
        f"{_SIZE}|{_SHARE}( +of +({_BASES}))?", "24MiB", "75%", "90% of memory.high", "5% of machine"
    ),
    "share": _text(_SHARE, "10%"),
    "duration": _text(rf"{_NUMBER} ?({'|'.join(MS_BY_UNIT)})", "100ms", "1.5s"),
    "rate": _text(f"{_NUMBER}{_PER_SECOND}", "5000/s"),
    "glob": _text(r"/[^?\[\]{}]+", "/batch.slice/*", "/machine.slice/**"),
}
SIZE = Shape(_reference("size"))
THRESHOLD = Shape(_reference("threshold"))
SHARE = Shape(_reference("share"))
DURATION = Shape(_reference("duration"))
GLOB = Shape(_reference("glob"))
#: A condition, or any and all of several.
START = Shape(_reference("start"))
STOP = Shape(_reference("stop"))
BYTE_RATE = Shape(_text(f"{_SIZE}{_PER_SECOND}", "200MiB/s"))
_RATE = _reference("rate")


def about(description: str, schema: Mapping[str, Any]) -> Schema:
    """Return a schema with this description; in draft 7, nothing counts that stands beside a reference."""
    inner = {"allOf": [dict(schema)]} if "$ref" in schema else dict(schema)
    inner.pop("description", None)
    return {"description": description, **inner}


def _define_combinations(name: str, *, is_stop: bool) -> None:
    """Define what starts or stops something: a condition, or any and all of several, nested once."""
    conditions = _conditions(is_stop=is_stop)
    DEFINITIONS[f"{name}_condition"] = {"anyOf": [dict(THRESHOLD.schema), _object(conditions, conditions)]}
    condition = _reference(f"{name}_condition")
    any_list, all_list = (
        _list({"anyOf": [condition, _object({inner: _list(condition)}, [inner])]}) for inner in ("all", "any")
    )
    joined = {
        **conditions,
        "any": about("one of these has to hold", any_list),
        "all": about("all of these have to hold", all_list),
    }
    DEFINITIONS[name] = {"anyOf": [dict(THRESHOLD.schema), _object(joined, joined)]}


def _list(item: Schema) -> Schema:
    return {"type": "array", "items": item, "minItems": 1, "maxItems": MAX_CONDITIONS}


def _conditions(*, is_stop: bool) -> dict[str, Schema]:
    events = _whole_number(0 if is_stop else 1, MAX_EVENTS)
    conditions = {
        "usage": about(
            "the cgroup's memory.current; a size, or a percentage of memory.max unless it says of what",
            THRESHOLD.schema,
        ),
        "psi": about(
            "share of the window in which tasks were stalled for memory",
            _windowed({"some": SHARE.schema, "full": SHARE.schema}, PSI_WINDOW, PSI_WINDOWS_MS),
        ),
        "pgfaults": about("page faults per second", _RATE),
        "refaults": about(
            "pages per second that were reclaimed and soon needed again",
            {"anyOf": [_RATE, _object({"anon": _RATE, "file": _RATE}, ("anon", "file"))]},
        ),
        "events": about(
            "how often this was counted in memory.events within the window",
            _windowed(dict.fromkeys(("high", "max", "oom"), events), EVENTS_WINDOW, EVENTS_WINDOWS_MS),
        ),
        "swap_free": about(
            "free swap of the machine; a size, or a percentage of all swap",
            {"anyOf": [SIZE.schema, SHARE.schema]},
        ),
    }
    if is_stop:
        conditions["reclaimed"] = about("what this episode has reclaimed", SIZE.schema)
        conditions["after"] = about("time since this episode began", DURATION.schema)
    return conditions


def _windowed(kinds: Mapping[str, Mapping[str, Any]], default: Duration, range_ms: tuple[int, int]) -> Schema:
    least, most = (format_duration(Duration(each_ms)) for each_ms in range_ms)
    window = about(f"how far back it is measured, {least} to {most}", DURATION.schema)
    window["default"] = format_duration(default)
    return _object({**{kind: dict(shape) for kind, shape in kinds.items()}, "window": window}, kinds)


_define_combinations("start", is_stop=False)
_define_combinations("stop", is_stop=True)
