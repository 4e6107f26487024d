# SPDX-License-Identifier: GPL-2.0-or-later
"""What the documentation shows as a policy is one."""

import re
from pathlib import Path

import pytest

from reclaimd.config import parse_config

ROOT = Path(__file__).parents[3]
PAGES = ("README.md", "docs/policy.md")
FENCED = re.compile(r"^```yaml\n(policies:\n.*?)^```$", re.MULTILINE | re.DOTALL)


def _examples(page: str) -> list[tuple[str, str]]:
    text = (ROOT / page).read_text()
    found = ((text[: at.start(1)].count("\n") + 1, at[1]) for at in FENCED.finditer(text))
    return [(f"{page}:{line}", example) for line, example in found]


EXAMPLES = [example for page in PAGES for example in _examples(page)]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_shows_a_policy(page: str) -> None:
    assert _examples(page)


@pytest.mark.parametrize(("place", "text"), EXAMPLES, ids=[place for place, _ in EXAMPLES])
def test_a_policy_that_is_shown_is_valid(place: str, text: str) -> None:
    assert parse_config(text.encode(), place).config.policies
