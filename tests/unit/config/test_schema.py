# SPDX-License-Identifier: GPL-2.0-or-later
"""The shipped schema is that of the models, and never refuses what the loader takes."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given, settings
from jsonschema import Draft7Validator
from pydantic import ValidationError

from reclaimd.cli.reclaimctl import main
from reclaimd.config import Config, parse_config
from reclaimd.config.document import read_document
from reclaimd.config.problem import InvalidConfigError
from reclaimd.config.schema import schema_text
from tests.unit.config.documents import COMBINATIONS, DOCUMENTS

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "config/reclaimd.schema.json"
SCHEMA = json.loads(SHIPPED.read_text())
VALIDATOR = Draft7Validator(SCHEMA)
FILES = [ROOT / "config/reclaimd.yaml", *sorted((ROOT / "config/examples").glob("*.yaml"))]
FENCED = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = FENCED.findall((ROOT / "docs/policy.md").read_text())


def _accepts(text: str) -> bool:
    return VALIDATOR.is_valid(read_document(text.encode(), "f.yaml").value)


def test_what_is_shipped_is_what_the_models_say() -> None:
    again = "run .venv/bin/reclaimctl schema > config/reclaimd.schema.json"
    assert SHIPPED.read_text() == schema_text(), again


def test_it_is_a_schema_of_draft_7() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert capsys.readouterr().out == SHIPPED.read_text()


def _keys(schema: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:  # noqa: ANN401  any part of a schema
    if isinstance(schema, list):
        for part in schema:
            yield from _keys(part)
    elif isinstance(schema, dict):
        if schema.get("additionalProperties") is False and len(schema["properties"]) > 1:
            yield from schema["properties"].items()
        for part in schema.values():
            yield from _keys(part)


def test_every_key_of_a_section_has_a_description() -> None:
    kinds = {"some", "full", "anon", "file", "high", "max", "oom"}
    assert [key for key, schema in _keys(SCHEMA) if key not in kinds and not schema.get("description")] == []


def test_nothing_stands_beside_a_reference() -> None:
    assert not re.search(r'"\$ref": "[^"]*",', SHIPPED.read_text())


def test_every_default_and_example_is_what_the_schema_takes() -> None:
    for key, schema in _keys(SCHEMA):
        part = Draft7Validator({**schema, "definitions": SCHEMA["definitions"]})
        for value in [*schema.get("examples", []), *([schema["default"]] if "default" in schema else [])]:
            assert part.is_valid(value), (key, value)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_shipped_files_are_valid(path: Path) -> None:
    assert [
        error.message for error in VALIDATOR.iter_errors(read_document(path.read_bytes(), "f").value)
    ] == []


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.partition("\n")[0])
def test_what_the_documentation_shows_is_valid(block: str) -> None:
    if not block.startswith("policies:"):
        lines = [f"    {line}" for line in block.splitlines()]
        block = "\n".join(["policies:", "  - name: shown", *lines, "    reclaim: {start: 75%}"])
    assert [error.message for error in VALIDATOR.iter_errors(read_document(block.encode(), "f").value)] == []
    parse_config(block.encode(), "f.yaml")


POLICY = "policies: [{name: a, match: /a, %s}]"
INVALID = [
    "policies: 7",
    "log: {level: info}",
    "policies: []\nnonsense: 1",
    "policies: [7]",
    "policies: [{name: A, match: /a, reclaim: {start: 75%}}]",
    "policies: [{name: 7, match: /a, reclaim: {start: 75%}}]",
    "policies: [{match: /a, reclaim: {start: 75%}}]",
    "policies: [{name: a, reclaim: {start: 75%}}]",
    "policies: [{name: a, match: a, reclaim: {start: 75%}}]",
    "policies: [{name: a, match: '/[a-z]', reclaim: {start: 75%}}]",
    "policies: [{name: a, match: [], reclaim: {start: 75%}}]",
    "policies: [{name: a, match: {exclude: /b}, reclaim: {start: 75%}}]",
    POLICY % "mode: off, reclaim: {start: 75%}",
    POLICY % "reclaim: {start: 75}",
    POLICY % "reclaim: {start: 24M}",
    POLICY % "reclaim: {start: 24MB}",
    POLICY % "reclaim: {start: -1MiB}",
    POLICY % "reclaim: {start: 75% of memory.min}",
    POLICY % "reclaim: {start: }",
    POLICY % "reclaim: ",
    POLICY % "reclaim: {start: {psi: {some: 10%, full: 10%}}}",
    POLICY % "reclaim: {start: {psi: {some: 10%, window: }}}",
    POLICY % "reclaim: {start: {psi: 10%}}",
    POLICY % "reclaim: {start: {pgfaults: 5000}}",
    POLICY % "reclaim: {start: {events: {max: 0}}}",
    POLICY % "reclaim: {start: {events: {max: 1.5}}}",
    POLICY % "reclaim: {start: {reclaimed: 1MiB}}",
    POLICY % "reclaim: {start: {any: []}}",
    POLICY % "reclaim: {start: {any: [75%], all: [75%]}}",
    POLICY % "reclaim: {start: {any: [{any: [75%]}]}}",
    POLICY % "reclaim: {start: {any: [{all: [{any: [75%]}]}]}}",
    POLICY % "reclaim: {start: {usage: 75%, pgfaults: 1/s}}",
    POLICY % "reclaim: {start: 75%, swappiness: 201}",
    POLICY % "reclaim: {start: 75%, swappiness: often}",
    POLICY % "reclaim: {start: 75%, rate: 200MiB}",
    POLICY % "reclaim: {start: 75%, cpu: 10}",
    POLICY % "reclaim: {start: 75%, cooldown: 1m}",
    POLICY % "reclaim: {start: 75%, backoff: {first: 1s}}",
    POLICY % "protect: {as: high, while: {pgfaults: 1/s}}",
    POLICY % "protect: {as: low}",
    POLICY % "protect: {as: low, while: {pgfaults: 1/s}, throttle: [{match: /b}]}",
    "policies: []\nmetrics: {listen: 19765}",
    "policies: []\nmetrics: {listen: localhost}",
    "policies: []\nlog: {level: loud}",
]


@pytest.mark.parametrize("text", INVALID)
def test_schema_and_loader_both_refuse_what_is_wrong(text: str) -> None:
    assert not _accepts(text)
    with pytest.raises(InvalidConfigError):
        parse_config(text.encode(), "f.yaml")


@given(document=DOCUMENTS)
@settings(max_examples=300)
def test_what_the_loader_takes_the_schema_takes(document: dict[str, Any]) -> None:
    try:
        Config.model_validate(document)
    except ValidationError:
        event("refused")
        return
    event("taken")
    assert [error.message for error in VALIDATOR.iter_errors(document)] == []


@given(start=COMBINATIONS, stop=COMBINATIONS)
def test_what_the_loader_takes_for_a_combination_the_schema_takes(start: Any, stop: Any) -> None:  # noqa: ANN401
    for key, value in (("start", start), ("stop", stop)):
        reclaim = {"start": "75%", key: value}
        document = {"policies": [{"name": "a", "match": "/a", "reclaim": reclaim}]}
        try:
            Config.model_validate(document)
        except ValidationError:
            event("refused")
            continue
        event("taken")
        assert [error.message for error in VALIDATOR.iter_errors(document)] == []
