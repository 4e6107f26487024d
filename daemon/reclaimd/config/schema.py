# SPDX-License-Identifier: GPL-2.0-or-later
"""The JSON schema of a configuration, from its models; for editors, and for whoever makes configurations.

Draft 7 is what yaml-language-server understands.
"""

import json
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from reclaimd.config.document import read_document
from reclaimd.config.listen import ListenAddress
from reclaimd.config.models import Config, Match
from reclaimd.config.shapes import DEFINITIONS, Schema, Shape, about
from reclaimd.config.units import Duration, Size, format_duration


def config_schema() -> Schema:
    """Return the schema of a whole configuration."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$comment": "SPDX-License-Identifier: GPL-2.0-or-later; made by reclaimctl schema",
        "title": "reclaimd configuration",
        **_of_model(Config),
        "definitions": DEFINITIONS,
    }


def schema_text() -> str:
    """Return the schema as it is shipped."""
    return json.dumps(config_schema(), indent=2) + "\n"


def _of_model(model: type[BaseModel]) -> Schema:
    fields = {info.alias or name: info for name, info in model.model_fields.items()}
    schema: Schema = {
        "description": (model.__doc__ or "").partition("\n")[0],
        "type": "object",
        "properties": {key: _of_field(info) for key, info in fields.items()},
        "additionalProperties": False,
    }
    if required := [key for key, info in fields.items() if info.is_required()]:
        schema["required"] = required
    if issubclass(model, Match):
        return _with_short_forms(schema)
    return schema


def _with_short_forms(match: Schema) -> Schema:
    """Add what a match is short for: `include` alone, and one glob for a list of it."""
    for key in ("include", "exclude"):
        globs = match["properties"][key]
        match["properties"][key] = {
            **{word: globs.pop(word) for word in ("description", "examples") if word in globs},
            "anyOf": [globs["items"], globs],
        }
    include = match["properties"]["include"]
    include["anyOf"][1]["minItems"] = 1
    return {"description": match.pop("description"), "anyOf": [*include["anyOf"], match]}


def _of_field(info: FieldInfo) -> Schema:
    schema = about(info.description or "", _of_type(info.annotation, info.metadata))
    default = _as_written(info.default)
    if default is not None:
        schema["default"] = default
    if info.examples:
        schema["examples"] = [read_document(str(each).encode(), "").value for each in info.examples]
    return schema


def _of_type(annotation: object, metadata: list[Any]) -> Schema:
    """Return the schema of a value of this type; None, which stands for a key that is left out, aside."""
    for shape in _shapes(annotation, metadata):
        return dict(shape.schema)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _of_model(annotation)
    kinds = [kind for kind in get_args(annotation) if kind not in {type(None), Ellipsis}]
    if len(kinds) != 1:
        raise TypeError(f"{annotation} says nothing of how it is written")
    inner = _of_type(kinds[0], [])
    return {"type": "array", "items": inner} if getattr(annotation, "__origin__", None) is tuple else inner


def _shapes(annotation: object, metadata: list[Any]) -> Iterator[Shape]:
    for each in (*metadata, *getattr(annotation, "__metadata__", ())):
        if isinstance(each, Shape):
            yield each


def _as_written(default: object) -> object:
    """Return a default as it would be written; None for one that stands for a key that is left out."""
    match default:
        case Duration():
            return format_duration(default)
        case Size() | ListenAddress():
            return str(default)
        case StrEnum():
            return default.value
        case int():
            return default
        case _:
            return None
