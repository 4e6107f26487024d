# SPDX-License-Identifier: GPL-2.0-or-later
"""The shipped schema is that of the models, and never refuses what the loader takes."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from pydantic import ValidationError

from reclaimd.cli.reclaimctl import main
from reclaimd.config import Config, parse_config
from reclaimd.config.document import read_document
from reclaimd.config.problem import InvalidConfigError
from reclaimd.config.schema import schema_text

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "config/reclaimd.schema.json"
SCHEMA = json.loads(SHIPPED.read_text())
VALIDATOR = Draft7Validator(SCHEMA)
FILES = sorted((ROOT / "config").rglob("*.yaml"))
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


NUMBERS = st.one_of(
    st.integers(1, 100).map(str),
    st.integers(0, 10**6).map(str),
    st.sampled_from(["0.5", "1.25", "007", "0", "99.999999999", "1" * 20]),
)
SPACES = st.sampled_from(["", " "])


def _joined(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map("".join)


SIZES = _joined(NUMBERS, SPACES, st.sampled_from(["B", "KiB", "MiB", "GiB", "TiB"] * 4 + ["MB"]))
SHARES = _joined(NUMBERS, SPACES, st.just("%"))
BASES = st.sampled_from([" of memory.max", "  of  memory.high", " of machine", ""] * 6 + [" of swap"])
THRESHOLDS = st.one_of(SIZES, _joined(SHARES, BASES))
DURATIONS = _joined(NUMBERS, SPACES, st.sampled_from(["ms", "s"] * 8 + ["min"]))
RATES = _joined(NUMBERS, st.sampled_from(["/s", " / s", "/ s"] * 6 + ["/min"]))
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6), st.just([]), st.just({})
)


def _mostly(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 40).flatmap(lambda chance: ODD if chance == 0 else values)


def _windowed(kinds: tuple[str, ...], values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    bound = st.tuples(st.sampled_from(kinds), values).map(lambda pair: {pair[0]: pair[1]})
    window: st.SearchStrategy[dict[str, str]] = st.one_of(
        st.just({}), DURATIONS.map(lambda text: {"window": text})
    )
    return st.tuples(bound, window).map(lambda pair: {**pair[0], **pair[1]})


CONDITIONS = st.one_of(
    THRESHOLDS,
    THRESHOLDS.map(lambda text: {"usage": text}),
    _windowed(("some", "full"), SHARES).map(lambda value: {"psi": value}),
    RATES.map(lambda text: {"pgfaults": text}),
    RATES.map(lambda text: {"refaults": text}),
    _windowed(("anon", "file"), RATES).map(lambda value: {"refaults": value}),
    _windowed(("high", "max", "oom"), st.integers(0, 3)).map(lambda value: {"events": value}),
    st.one_of(SIZES, SHARES).map(lambda text: {"swap_free": text}),
    SIZES.map(lambda text: {"reclaimed": text}),
    DURATIONS.map(lambda text: {"after": text}),
)
WORDS = st.sampled_from(["any", "all"])


def _lists(items: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(WORDS, st.lists(items, max_size=4)).map(lambda pair: {pair[0]: pair[1]})


COMBINATIONS = st.one_of(CONDITIONS, _lists(CONDITIONS), _lists(st.one_of(CONDITIONS, _lists(CONDITIONS))))
GLOBS = st.sampled_from(
    ["/a", "/a/*", "/**", "/a b/c", "/a\\x2d*", "/ä/ö", "/a/**/b"] * 4 + ["a", "/a[b]", "/"]
)
MATCHES = st.one_of(
    GLOBS,
    st.lists(GLOBS, max_size=2),
    st.fixed_dictionaries(
        {"include": st.one_of(GLOBS, st.lists(GLOBS, max_size=2))},
        optional={"exclude": st.one_of(GLOBS, st.lists(GLOBS, max_size=2))},
    ),
)
RECLAIM = st.fixed_dictionaries(
    {"start": _mostly(COMBINATIONS)},
    optional={
        "floor": _mostly(THRESHOLDS),
        "pass": _mostly(SIZES),
        "rate": _mostly(_joined(SIZES, st.sampled_from(["/s", " /s", ""]))),
        "cpu": _mostly(SHARES),
        "swappiness": _mostly(st.one_of(st.integers(-1, 201), st.sampled_from(["cgroup", "anon-only"]))),
        "cooldown": _mostly(DURATIONS),
        "backoff": _mostly(st.fixed_dictionaries({}, optional={"from": DURATIONS, "to": DURATIONS})),
    },
)
PROTECT = st.fixed_dictionaries(
    {"as": _mostly(st.sampled_from(["none", "low", "min"])), "while": _mostly(COMBINATIONS)},
    optional={
        "for": _mostly(DURATIONS),
        "throttle": _mostly(
            st.lists(st.fixed_dictionaries({"match": MATCHES, "delay": DURATIONS}), max_size=2)
        ),
    },
)
POLICIES = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "a.b-c_0", "0"] * 5 + ["A"]), "match": _mostly(MATCHES)},
    optional={
        "mode": _mostly(st.sampled_from(["enforce", "monitor"])),
        "reclaim": _mostly(RECLAIM),
        "back_pressure": _mostly(st.fixed_dictionaries({"start": THRESHOLDS, "max_delay": DURATIONS})),
        "protect": _mostly(PROTECT),
    },
)
LISTENS = st.sampled_from(["127.0.0.1:1", "[::1]:19765", "::1:5", "0.0.0.0:0", "[]:1", "1.2.3.4"])
DOCUMENTS = st.fixed_dictionaries(
    {"policies": _mostly(st.lists(POLICIES, max_size=1))},
    optional={
        "metrics": _mostly(
            st.fixed_dictionaries({}, optional={"listen": LISTENS, "max_cgroups": st.integers(-1, 99)})
        ),
        "log": _mostly(
            st.fixed_dictionaries({}, optional={"format": st.sampled_from(["auto", "json", "console", "x"])})
        ),
    },
)


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
