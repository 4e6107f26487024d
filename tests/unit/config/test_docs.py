# SPDX-License-Identifier: GPL-2.0-or-later
"""What the documentation shows as a policy is one."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from reclaimd.config import parse_config
from reclaimd.config.models import BackPressure, Policy, Protect, Reclaim

ROOT = Path(__file__).parents[3]
PAGES = ("README.md", "docs/policy.md", "docs/backends.md")
FENCED = re.compile(r"^```yaml\n(policies:\n.*?)^```$", re.MULTILINE | re.DOTALL)


def _examples(page: str) -> list[tuple[str, str]]:
    text = (ROOT / page).read_text()
    found = ((text[: at.start(1)].count("\n") + 1, at[1]) for at in FENCED.finditer(text))
    return [(f"{page}:{line}", example) for line, example in found]


SECTIONS: dict[str, type[BaseModel]] = {
    "": Policy,
    "reclaim": Reclaim,
    "back_pressure": BackPressure,
    "protect": Protect,
}

EXAMPLES = [example for page in PAGES for example in _examples(page)]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_a_policy(page: str) -> None:
    assert _examples(page)


@pytest.mark.parametrize(("place", "text"), EXAMPLES, ids=[place for place, _ in EXAMPLES])
def test_a_policy_that_is_shown_is_valid(place: str, text: str) -> None:
    assert parse_config(text.encode(), place).config.policies


def _keys_of(section: str) -> dict[str, dict[str, str]]:
    """Return the rows of a section's table of keys: key -> column -> what it says."""
    text = (ROOT / "docs/policy.md").read_text()
    after = text.partition(f"\n## {section}\n" if section else "A policy has these keys:")[2]
    table = after[after.index("| Key ") :].partition("\n\n")[0]
    head, _, *rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in table.splitlines()]
    return {row[0].strip("`"): dict(zip(head, row, strict=True)) for row in rows}


@pytest.mark.parametrize("section", SECTIONS)
def test_each_key_is_in_the_page_with_its_kind_default_and_an_example(section: str) -> None:
    rows = _keys_of(section)
    fields = SECTIONS[section].model_fields
    assert rows.keys() == {field.alias or name for name, field in fields.items()}
    for key, row in rows.items():
        assert row["Kind"]
        assert row["Default"]
        assert f"{key}: " in row["Example"]


@pytest.mark.parametrize("section", SECTIONS)
def test_what_the_page_calls_required_is(section: str) -> None:
    required = {
        field.alias or name for name, field in SECTIONS[section].model_fields.items() if field.is_required()
    }
    # One of start and high_async is.
    told = {key for key, row in _keys_of(section).items() if row["Default"] == "required"}
    assert told == required


@pytest.mark.parametrize("section", SECTIONS)
def test_the_example_of_a_key_is_valid(section: str) -> None:
    for key, row in _keys_of(section).items():
        keys = {"name": "name: x", "match": "match: /x", "reclaim": "reclaim: {start: 75%}"}
        example = row["Example"].strip("`")
        if not section:
            keys[key] = example
        else:
            others = {
                "start": "start: 80%",
                "max_delay": "max_delay: 1ms",
                "as": "as: low",
                "while": "while: {pgfaults: 1/s}",
            }
            if key == "high_async":
                del others["start"]
            needed = [each for each in others if each != key and each in _keys_of(section)]
            keys[section] = f"{section}: {{{', '.join([example, *(others[each] for each in needed)])}}}"
        text = "policies:\n  - " + "\n    ".join(keys.values()) + "\n"
        assert parse_config(text.encode(), key).config.policies
