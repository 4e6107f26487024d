# SPDX-License-Identifier: GPL-2.0-or-later
"""What pydantic finds, in the words of the file and at its place.

Only the type codes of pydantic's errors are used, which are part of its interface; its texts, which
change between versions, are not.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from reclaimd.config.bad_value import BadValueError, describe
from reclaimd.config.document import Document, KeyPath
from reclaimd.config.models import Config
from reclaimd.config.problem import Problem
from reclaimd.config.suggest import key_hint

#: What was expected, and how it is written.
_SHAPES = MappingProxyType(
    {
        "model_type": ("a mapping", "write its keys as indented 'key: value' lines"),
        "tuple_type": ("a list", "write its items as lines that start with '- '"),
    }
)


def to_problem(error: ErrorDetails, document: Document) -> Problem:
    """Translate one error of pydantic's, for a document that was validated as a Config."""
    path, cause = error["loc"], error.get("ctx", {}).get("error")
    if error["type"] == "extra_forbidden":
        return _unknown_key(path, document)
    if error["type"] == "missing":
        return _missing_key(path, document)
    if isinstance(cause, BadValueError):
        return _wrong_value((*path, *cause.at), cause.message, cause.hint, document)
    if shape := _SHAPES.get(error["type"]):
        expected, hint = shape
        return _wrong_value(path, f"must be {expected}, but is {describe(error['input'])}", hint, document)
    return _wrong_value(path, error["msg"], None, document)


def _wrong_value(path: KeyPath, text: str, hint: str | None, document: Document) -> Problem:
    # Where a short form was written, its long form's keys would only puzzle.
    about = _dotted(document.existing(path))
    return Problem(document.position(path), f"{about}: {text}" if about else text, hint)


def _unknown_key(path: KeyPath, document: Document) -> Problem:
    key, within = str(path[-1]), _dotted(path[:-1])
    text = f"unknown key '{key}' in {within}" if within else f"unknown key '{key}'"
    return Problem(document.key_position(path), text, _key_hint(key, _fields(path[:-1])))


def _missing_key(path: KeyPath, document: Document) -> Problem:
    key, within = str(path[-1]), _dotted(path[:-1])
    text = f"the key '{key}' is missing in {within}" if within else f"the key '{key}' is missing"
    examples = _fields(path[:-1])[key].examples or ()
    hint = next((f"add for example '{key}: {example}'" for example in examples), None)
    return Problem(document.position(path[:-1]), text, hint)


def _dotted(path: KeyPath) -> str:
    """Return a path as a reader would name it; the position already says which policy it is in."""
    if path[:1] == ("policies",) and len(path) > 1:
        path = path[2:] or ("this policy",)
    return ".".join(str(step) for step in path if isinstance(step, str))


def _key_hint(key: str, known: Mapping[str, FieldInfo]) -> str:
    owners = [section for section, fields in _sections(Config, "") if section and key in fields]
    if owners:
        return f"it belongs into {' or '.join(owners)}"
    return key_hint(key, known)


def _fields(path: KeyPath) -> dict[str, FieldInfo]:
    """Return the keys of the mapping that a path leads to."""
    model: type[BaseModel] = Config
    for step in path:
        if isinstance(step, str):
            model = _model_of(_by_key(model)[step]) or model
    return _by_key(model)


def _by_key(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return a model's fields by what they are called in a file."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def _sections(model: type[BaseModel], name: str) -> Iterator[tuple[str, dict[str, FieldInfo]]]:
    yield name, _by_key(model)
    for key, info in _by_key(model).items():
        if inner := _model_of(info):
            yield from _sections(inner, key)


def _model_of(info: FieldInfo) -> type[BaseModel] | None:
    """Return the model that a field holds, by itself, in a tuple, or optionally."""
    candidates: tuple[Any, ...] = (info.annotation, *get_args(info.annotation))
    return next((kind for kind in candidates if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
