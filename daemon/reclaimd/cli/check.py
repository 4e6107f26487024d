# SPDX-License-Identifier: GPL-2.0-or-later
"""`reclaimd check`: whether a configuration is valid, and what it comes to on this host."""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from mmap import PAGESIZE as PAGE_BYTES
from pathlib import Path

from reclaimd.cgroup.facts import CgroupFacts, survey
from reclaimd.cgroup.host import find_cgroup_root
from reclaimd.cgroup.machine import read_machine
from reclaimd.cli.outlook import Outlook
from reclaimd.config import load_config
from reclaimd.config.problem import InvalidConfigError, Problem, Severity, printable
from reclaimd.errors import HostError
from reclaimd.policy.figures import Figures, rule_as_dict
from reclaimd.policy.resolve import resolve
from reclaimd.policy.rule import Rule
from reclaimd.policy.text import combination_text

HEADINGS = ("CGROUP", "POLICY", "START", "STOP", "LIMIT", "BACK-PRESSURE")
#: Columns that are left out where no policy has any of it, and what stands there then.
OPTIONAL_HEADINGS = {"MODE": "enforce", "BOUNDS": "none", "PROTECT": "none", "THROTTLED": "none"}
_FIGURES = Figures(PAGE_BYTES)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a valid configuration comes to; `unresolved` says why there are no rules, where it was not resolved."""

    policies: int
    rules: Sequence[Rule] = ()
    problems: Sequence[Problem] = ()
    unresolved: str | None = None
    outlook: Outlook | None = None

    @property
    def exit_status(self) -> int:
        """Tells whether every policy can be carried out."""
        errors = [problem for problem in self.problems if problem.severity is Severity.ERROR]
        return os.EX_CONFIG if errors else os.EX_OK


def check(file: Path, cgroup_root: Path | None) -> int:
    """Print what is to be said about a configuration, and return the exit status.

    Args:
        file: the configuration.
        cgroup_root: the tree of cgroups to resolve it for; None for where cgroup2 is mounted.

    Raises:
        ConfigError, NotPermittedError: the file is not valid or cannot be read.
    """
    outcome = _outcome(file, cgroup_root)
    what = "policy" if outcome.policies == 1 else "policies"
    print(f"{printable(str(file))}: valid, {outcome.policies} {what}")
    if outcome.unresolved:
        print(f"not resolved for this host: {outcome.unresolved}")
    if outcome.outlook:
        print(printable(str(outcome.outlook)))
    for problem in outcome.problems:
        print(problem, file=sys.stderr)
    if outcome.rules:
        print(rules_table(outcome.rules))
    return outcome.exit_status


def check_as_dict(file: Path, cgroup_root: Path | None) -> tuple[dict[str, object], int]:
    """Return what is to be said about a configuration, for programs, and the exit status.

    It is {"valid": bool, "problems": [{"file", "line", "column", "severity", "text", "hint"}]} and, for a valid one,
    "policies": how many, "unresolved": why there are no rules or null, "backend": its name or null, "backend_why": why it
    is this one or there is none, "rules": [{"cgroup", "policy", and what rule_as_dict() gives}].

    Raises:
        ConfigError, NotPermittedError: the file cannot be read.
    """
    try:
        outcome = _outcome(file, cgroup_root)
    except InvalidConfigError as error:
        return {"valid": False, "problems": list(map(problem_as_dict, error.problems))}, error.exit_status
    report = {
        "valid": True,
        "problems": list(map(problem_as_dict, outcome.problems)),
        "policies": outcome.policies,
        "unresolved": outcome.unresolved,
        "backend": outcome.outlook.backend if outcome.outlook else None,
        "backend_why": outcome.outlook.why if outcome.outlook else outcome.unresolved,
        "rules": [
            {
                "cgroup": printable(rule.path),
                "policy": rule.policy,
                **rule_as_dict(rule, PAGE_BYTES, paths_of(outcome.rules)),
            }
            for rule in outcome.rules
        ],
    }
    return report, outcome.exit_status


def problem_as_dict(problem: Problem) -> dict[str, object]:
    """Return {"file", "line", "column", "severity", "text", "hint"}."""
    place = problem.position
    where = {"file": printable(place.file), "line": place.line, "column": place.column}
    return {**where, "severity": problem.severity.value, "text": problem.text, "hint": problem.hint}


def _outcome(file: Path, cgroup_root: Path | None) -> Outcome:
    loaded = load_config(file)
    policies = len(loaded.config.policies)
    try:
        root = find_cgroup_root() if cgroup_root is None else cgroup_root
        cgroups = _survey(root)
    except HostError as error:
        return Outcome(policies, unresolved=str(error))
    outlook = Outlook.of(loaded, root)
    resolution = resolve(outlook.loaded, cgroups, page_bytes=PAGE_BYTES, machine=read_machine())
    return Outcome(policies, resolution.rules, (*outlook.problems, *resolution.problems), outlook=outlook)


def rules_table(rules: Sequence[Rule]) -> str:
    """Return the rules as a table, a line for each, those of one subtree together."""
    paths = paths_of(rules)
    rows = [_row(rule, paths) for rule in sorted(rules, key=lambda rule: rule.path.split("/"))]
    headings = [
        *HEADINGS,
        *(name for name, none in OPTIONAL_HEADINGS.items() if any(row[name] != none for row in rows)),
    ]
    cells = [headings, *([row[name] for name in headings] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(_joined(row, widths) for row in cells)


def paths_of(rules: Sequence[Rule]) -> dict[int, str]:
    """Return the paths of the rules' cgroups, by id."""
    return {rule.cgroup_id: rule.path for rule in rules}


def _survey(root: Path) -> list[CgroupFacts]:
    try:
        return survey(root)
    except OSError as error:
        raise HostError(f"{root} cannot be read: {error.strerror}") from error


def _joined(row: Iterable[str], widths: Iterable[int]) -> str:
    return "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _row(rule: Rule, paths: Mapping[int, str]) -> dict[str, str]:
    return {
        "CGROUP": printable(rule.path),
        "POLICY": rule.policy,
        "START": combination_text(rule.reclaim.start, PAGE_BYTES) if rule.reclaim else "none",
        "STOP": combination_text(rule.reclaim.stop, PAGE_BYTES) if rule.reclaim else "none",
        "LIMIT": "max" if rule.limit_pages is None else _FIGURES.size(rule.limit_pages),
        "BACK-PRESSURE": _FIGURES.back_pressure(rule.back_pressure),
        "MODE": rule.mode.value,
        "BOUNDS": _FIGURES.bounds(rule.reclaim) if rule.reclaim else "none",
        "PROTECT": _FIGURES.protect(rule.protect),
        "THROTTLED": printable("; ".join(_FIGURES.throttles(rule, paths))) or "none",
    }
