# SPDX-License-Identifier: GPL-2.0-or-later
"""`reclaimd check`: whether a configuration is valid, and what it comes to on this host."""

import os
import sys
from collections.abc import Iterable, Sequence
from mmap import PAGESIZE as PAGE_BYTES
from pathlib import Path

from reclaimd.cgroup.facts import CgroupFacts, survey
from reclaimd.cgroup.host import find_cgroup_root
from reclaimd.cgroup.machine import read_machine
from reclaimd.config import load_config
from reclaimd.config.problem import printable
from reclaimd.config.units import format_bytes
from reclaimd.errors import HostError
from reclaimd.policy.resolve import resolve
from reclaimd.policy.rule import BackPressure, Rule
from reclaimd.policy.text import combination_text

HEADINGS = ("CGROUP", "POLICY", "START", "STOP", "LIMIT", "BACK-PRESSURE")


def check(file: Path, cgroup_root: Path | None) -> int:
    """Print what is to be said about a configuration, and return the exit status.

    Args:
        file: the configuration.
        cgroup_root: the tree of cgroups to resolve it for; None for where cgroup2 is mounted.

    Raises:
        ConfigError, NotPermittedError: the file is not valid or cannot be read.
    """
    loaded = load_config(file)
    number = len(loaded.config.policies)
    print(f"{printable(str(file))}: valid, {number} {'policy' if number == 1 else 'policies'}")
    try:
        cgroups = _survey(cgroup_root)
    except HostError as error:
        print(f"not resolved for this host: {error}")
        return os.EX_OK
    resolution = resolve(loaded, cgroups, page_bytes=PAGE_BYTES, machine=read_machine())
    for problem in resolution.problems:
        print(problem, file=sys.stderr)
    if resolution.rules:
        print(rules_table(resolution.rules))
    return os.EX_CONFIG if resolution.errors else os.EX_OK


def rules_table(rules: Sequence[Rule]) -> str:
    """Return the rules as a table, a line for each, those of one subtree together."""
    in_order = sorted(rules, key=lambda rule: rule.path.split("/"))
    rows = [HEADINGS, *(_row(rule) for rule in in_order)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_joined(row, widths) for row in rows)


def _survey(cgroup_root: Path | None) -> list[CgroupFacts]:
    root = find_cgroup_root() if cgroup_root is None else cgroup_root
    try:
        return survey(root)
    except OSError as error:
        raise HostError(f"{root} cannot be read: {error.strerror}") from error


def _joined(row: Iterable[str], widths: Iterable[int]) -> str:
    return "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _row(rule: Rule) -> tuple[str, ...]:
    return (
        printable(rule.path),
        rule.policy,
        combination_text(rule.reclaim.start, PAGE_BYTES) if rule.reclaim else "none",
        combination_text(rule.reclaim.stop, PAGE_BYTES) if rule.reclaim else "none",
        "max" if rule.limit_pages is None else _size(rule.limit_pages),
        _back_pressure(rule.back_pressure),
    )


def _back_pressure(pressure: BackPressure | None) -> str:
    if pressure is None:
        return "none"
    return f"from {_size(pressure.start_pages)}, up to {pressure.max_delay_ms}ms"


def _size(pages: int) -> str:
    return format_bytes(pages * PAGE_BYTES)
