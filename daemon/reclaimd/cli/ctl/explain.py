# SPDX-License-Identifier: GPL-2.0-or-later
"""`reclaimctl explain`: which policy governs a cgroup, why, and what it comes to."""

import argparse
import os
from collections.abc import Iterator, Sequence
from mmap import PAGESIZE as PAGE_BYTES
from pathlib import Path

from reclaimd.cgroup.facts import CgroupFacts, survey
from reclaimd.cgroup.host import find_cgroup_root
from reclaimd.cgroup.machine import read_machine
from reclaimd.cli.commands import Commands, print_json
from reclaimd.cli.outlook import Outlook
from reclaimd.config import DEFAULT_CONFIG, LoadedConfig, load_config
from reclaimd.config.problem import printable
from reclaimd.errors import HostError
from reclaimd.policy.explain import Above, Contender, Explanation, Standing, explain
from reclaimd.policy.figures import Figure, rule_as_dict
from reclaimd.policy.remark import Remark

_MOUNT = "/sys/fs/cgroup"


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add(
        "explain",
        _explain,
        summary="say which policy governs a cgroup, why, and what it comes to; needs no daemon",
        description=(
            "Says which policy of a configuration governs a cgroup, why this one, what its percentages and "
            "defaults come to, and which rules of cgroups further up hold too. A cgroup that does not exist is "
            "explained as it would be right after it was made, without limits."
        ),
    )
    parser.add_argument(
        "cgroup",
        type=cgroup_path,
        metavar="CGROUP",
        help="its path below the cgroup2 root, such as /a.slice/b",
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=DEFAULT_CONFIG,
        help="the configuration (default: %(default)s)",
    )
    parser.add_argument(
        "--cgroup-root",
        type=Path,
        metavar="DIR",
        help="the tree that the cgroup is in (default: where cgroup2 is mounted)",
    )


def cgroup_path(text: str) -> str:
    """Read a cgroup's path; one that begins with where cgroup2 is mounted will do.

    Raises:
        ArgumentTypeError: it is none, or that of the root.
    """
    below = text.removeprefix(_MOUNT) if text == _MOUNT or text.startswith(f"{_MOUNT}/") else text
    path = below.rstrip("/")
    if not path:
        raise argparse.ArgumentTypeError("the root cgroup cannot be governed; name one below it")
    if not path.startswith("/") or any(name in {"", ".", ".."} for name in path[1:].split("/")):
        hint = "write it as /proc/PID/cgroup shows it after 0::"
        raise argparse.ArgumentTypeError(f"'{printable(text)}' is not a cgroup path; {hint}")
    return path


def _explain(options: argparse.Namespace) -> int:
    loaded = load_config(options.config)
    cgroups, outlook, unread = _look(loaded, options.cgroup_root)
    if outlook:
        loaded = outlook.loaded
    explanation = explain(loaded, cgroups, options.cgroup, page_bytes=PAGE_BYTES, machine=read_machine())
    if options.json:
        print_json(as_dict(explanation, unread) | _outlook_as_dict(explanation, outlook), options.json)
    else:
        lacking = _lacking(explanation, outlook) if outlook else ()
        print("\n".join([*text_lines(explanation, unread), *lacking]))
    return os.EX_OK


def _look(
    loaded: LoadedConfig, root: Path | None
) -> tuple[Sequence[CgroupFacts], Outlook | None, str | None]:
    """Return the cgroups and the backend, and why they are not known if they are not."""
    try:
        root = find_cgroup_root() if root is None else root
        return survey(root), Outlook.of(loaded, root), None
    except HostError as error:
        return (), None, str(error)


def _lacking(explanation: Explanation, outlook: Outlook) -> Iterator[str]:
    if explanation.policy is None:
        return
    yield str(outlook)
    for problem in outlook.problems:
        if problem.policy == explanation.policy:
            yield f"note: {problem}"
    if lacks := outlook.lacks.get(explanation.policy):
        yield f"does without: {', '.join(lacks)}"


def _outlook_as_dict(explanation: Explanation, outlook: Outlook | None) -> dict[str, object]:
    """Return {"backend": its name or null, "backend_why", "lacks": what the policy has to do without}."""
    if outlook is None:
        return {"backend": None, "backend_why": None, "lacks": []}
    lacks = outlook.lacks.get(explanation.policy or "", ())
    return {"backend": outlook.backend, "backend_why": outlook.why, "lacks": [str(each) for each in lacks]}


def text_lines(explanation: Explanation, unread: str | None) -> Iterator[str]:
    """Yield the explanation as lines for people.

    Args:
        explanation: what there is to say.
        unread: why the host's cgroups are not known, if they are not.
    """
    path = printable(explanation.path)
    if unread:
        yield f"the cgroups of this host are not known ({unread}): {path} is taken as one without limits"
    elif not explanation.exists:
        yield f"{path} does not exist: this is how it would be right after it was made, without limits"
    yield _headline(explanation)
    yield from _table([_contender_row(each) for each in explanation.contenders])
    for remark in explanation.remarks:
        yield f"note: {_remark(remark)}"
    if explanation.rule:
        yield "what that comes to:"
        yield from _figures(explanation.figures)
    for above in explanation.above:
        yield f"holds too: policy '{above.policy}' of {_named(above)}, with"
        yield from _figures(above.figures)


def _headline(explanation: Explanation) -> str:
    path, policy = printable(explanation.path), explanation.policy
    if explanation.hindrance:
        return f"policy '{policy}' is for {path}, but cannot be carried out: {_remark(explanation.hindrance)}"
    if policy:
        return f"{path} is governed by policy '{policy}':"
    if any(each.standing is Standing.TIED for each in explanation.contenders):
        return f"{path} is governed by no policy, as several match it equally well:"
    return f"{path} is governed by no policy" + (":" if explanation.contenders else ": none matches it")


def _remark(remark: Remark) -> str:
    return f"{'.'.join(map(str, remark.at))}: {remark.text}; {remark.hint}"


def _contender_row(contender: Contender) -> tuple[str, ...]:
    return contender.policy, contender.glob, contender.why, printable(str(contender.position))


def _figures(figures: Sequence[Figure]) -> Iterator[str]:
    width = max(len(figure.key) for figure in figures)
    for figure in figures:
        yield f"  {figure.key:{width}}  {printable(figure.value)}"
        for note in figure.notes:
            yield f"  {'':{width}}    {note}"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _named(above: Above) -> str:
    return printable(above.path) + ("" if above.exists else " (does not exist)")


def as_dict(explanation: Explanation, unread: str | None) -> dict[str, object]:
    """Return the explanation for programs.

    It is {"cgroup", "exists": null if unknown, "unread": why the host's cgroups are not known or null, "policy": its
    name or null, "hindrance": null or {"key", "text", "hint"}, "contenders": [{"policy", "file", "line", "column", "glob", "standing", "why"}], "remarks": [{"key", "text",
    "hint"}], "rule": as from rule_as_dict() or null, "notes": {key: [text]} where figures come from, "above":
    [{"cgroup", "exists", "policy", "rule", "notes"}]}.
    """
    return {
        "cgroup": printable(explanation.path),
        "exists": None if unread else explanation.exists,
        "unread": unread,
        "policy": explanation.policy,
        "hindrance": _remark_as_dict(explanation.hindrance) if explanation.hindrance else None,
        "contenders": [_contender_as_dict(contender) for contender in explanation.contenders],
        "remarks": list(map(_remark_as_dict, explanation.remarks)),
        "rule": rule_as_dict(explanation.rule, PAGE_BYTES, explanation.paths) if explanation.rule else None,
        "notes": _notes(explanation.figures),
        "above": [
            {
                "cgroup": printable(above.path),
                "exists": above.exists,
                "policy": above.policy,
                "rule": rule_as_dict(above.rule, PAGE_BYTES, explanation.paths),
                "notes": _notes(above.figures),
            }
            for above in explanation.above
        ],
    }


def _contender_as_dict(contender: Contender) -> dict[str, object]:
    position = contender.position
    return {
        "policy": contender.policy,
        "file": printable(position.file),
        "line": position.line,
        "column": position.column,
        "glob": contender.glob,
        "standing": contender.standing.value,
        "why": contender.why,
    }


def _remark_as_dict(remark: Remark) -> dict[str, object]:
    return {"key": ".".join(map(str, remark.at)), "text": remark.text, "hint": remark.hint}


def _notes(figures: Sequence[Figure]) -> dict[str, list[str]]:
    return {figure.key: list(figure.notes) for figure in figures if figure.notes}
