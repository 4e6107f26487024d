# SPDX-License-Identifier: GPL-2.0-or-later
"""The man pages say what the parsers and the models do."""

import argparse
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reclaimd.bench import command as bench
from reclaimd.cli import main, reclaimctl
from reclaimd.config.metric import Metric
from reclaimd.config.models import Config, Match, Policy

MAN = Path(__file__).parents[3] / "docs" / "man"
PAGES = sorted(path.name for path in MAN.iterdir())
COMMANDS = {
    "reclaimd.8": main.make_parser(),
    "reclaimctl.1": reclaimctl.make_parser(),
    "reclaimd-bench.8": bench.make_parser(),
}

#: Conditions are called in the configuration as metrics are, but for what is measured in several ways.
CONDITIONS = {
    metric.value.partition("_")[0] if metric is not Metric.SWAP_FREE else "swap_free" for metric in Metric
}


def plain(page: str) -> str:
    """Return a page's source without what changes the font."""
    text = (
        (MAN / page)
        .read_text()
        .replace("\\-", "-")
        .replace("\\fP", "")
        .replace("\\fI", "")
        .replace("\\fB", "")
    )
    return re.sub(r"^\.[BI]R?\s", "", text, flags=re.MULTILINE).replace('"', "")


def actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments of a parser and of its commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from actions(command)
        else:
            yield action


def commands(parser: argparse.ArgumentParser) -> list[str]:
    """Return the names of a parser's commands."""
    (subparsers,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    return list(subparsers.choices)


@pytest.mark.parametrize("page", COMMANDS)
def test_every_option_is_there_and_no_other(page: str) -> None:
    options = {option for action in actions(COMMANDS[page]) for option in action.option_strings}
    entries = re.findall(r"^\.TP\n(.*)$", (MAN / page).read_text(), re.MULTILINE)
    told = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", plain(page)))
    assert options <= told
    of_entries = {
        option
        for entry in entries
        for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", entry.replace("\\-", "-").replace('"', " "))
    }
    assert of_entries <= options


@pytest.mark.parametrize("page", [page for page in COMMANDS if page != "reclaimd-bench.8"])
def test_every_command_is_there_and_no_other(page: str) -> None:
    text = (MAN / page).read_text().partition(".SH OPTIONS")[0]
    told = re.findall(r"^\.TP\n\.B[IR]? ([a-z]+)", text, re.MULTILINE)
    assert sorted(told) == sorted(commands(COMMANDS[page]))


@pytest.mark.parametrize("page", COMMANDS)
def test_every_exit_status_is_there_and_no_other(page: str) -> None:
    section = (MAN / page).read_text().partition('.SH "EXIT STATUS"')[2].partition(".SH")[0]
    helped = re.findall(r"^ +(\d+)  ", COMMANDS[page].epilog or "", re.MULTILINE)
    assert re.findall(r"^\.B (\d+)$", section, re.MULTILINE) == helped


def keys(model: Any, before: str = "") -> Iterator[str]:  # noqa: ANN401  pydantic's models
    """Yield the keys of a model, with those of the models in it."""
    for name, field in model.model_fields.items():
        key = f"{before}{field.alias or name}"
        inner = [kind for kind in _kinds(field.annotation) if hasattr(kind, "model_fields")]
        if inner and inner[0] not in {Policy, Match}:
            yield from keys(inner[0], f"{key}.")
        else:
            yield key


def _kinds(annotation: Any) -> Iterator[Any]:  # noqa: ANN401  whatever types there are
    inner = getattr(annotation, "__args__", ())
    yield from (kind for one in inner for kind in _kinds(one)) if inner else (annotation,)


def test_every_key_of_the_configuration_is_there() -> None:
    text = plain("reclaimd.yaml.5")
    missing = [key for key in (*keys(Config), *keys(Policy)) if not re.search(rf"\b{re.escape(key)}\b", text)]
    assert not missing


def test_every_condition_is_there() -> None:
    section = plain("reclaimd.yaml.5").partition(".SH CONDITIONS")[2]
    assert not [name for name in CONDITIONS if not re.search(rf"^.*\b{name}\b", section, re.MULTILINE)]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_groff_has_nothing_to_complain_about(page: str) -> None:
    command = ["groff", "-man", "-Tutf8", "-ww", "-z", str(MAN / page)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stderr == ""
