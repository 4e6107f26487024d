# SPDX-License-Identifier: GPL-2.0-or-later
"""The syntax of a match: a glob over cgroup paths below the cgroup2 root.

A glob is a path whose segments may hold `*`, which stands for any characters of one name. A whole
segment `**` stands for any number of levels: none or more between other segments, one or more at
the end, so that `/a/**` is everything below /a and not /a itself. All else is literal, also the
backslash, which systemd puts into names.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

from reclaimd.config.bad_value import BadValueError, describe

ANY_LEVELS = "**"

#: The kernel's PATH_MAX and NAME_MAX.
_MAX_PATH_CHARS = 4096
_MAX_NAME_CHARS = 255
_FOREIGN = re.compile(r"[?\[\]{}]")
_MOUNT = "/sys/fs/cgroup"


@dataclass(frozen=True, slots=True)
class Glob:
    """A valid glob; `segments` are what is between its slashes."""

    text: str
    segments: tuple[str, ...]

    def __str__(self) -> str:
        """Return the glob as it was written."""
        return self.text


def parse_glob(value: object) -> Glob:
    """Read a glob such as /batch.slice/*.

    Raises:
        BadValueError: it is not one, or it could never match a cgroup.
    """
    if not isinstance(value, str):
        raise BadValueError(
            f"must be a cgroup path, not {describe(value)}", hint="write for example /batch.slice/*"
        )
    _refuse_foreign_paths(value)
    segments = tuple(value[1:].split("/"))
    for segment in segments:
        _check_segment(segment, value)
    for before, after in pairwise(segments):
        if before == after == ANY_LEVELS:
            raise BadValueError(
                f"'{value}' repeats **", hint="one ** already stands for any number of levels"
            )
    return Glob(value, segments)


def _refuse_foreign_paths(text: str) -> None:
    if not text.startswith("/"):
        raise BadValueError(f"'{text}' is not a cgroup path", hint=f"start at the cgroup root: /{text}")
    if text == _MOUNT or text.startswith(_MOUNT + "/"):
        below = text.removeprefix(_MOUNT) or "/*"
        raise BadValueError(f"'{text}' includes the mount point", hint=f"write {below}")
    if text == "/":
        raise BadValueError(
            "the root cgroup cannot be governed", hint="write /* for every cgroup just below it"
        )
    if len(text) > _MAX_PATH_CHARS:
        raise BadValueError(f"longer than any path ({_MAX_PATH_CHARS} characters)")


def _check_segment(segment: str, text: str) -> None:
    if segment in ("", ".", ".."):
        raise BadValueError(
            f"'{text}' has an empty segment, . or ..", hint="write the path as /proc/PID/cgroup shows it"
        )
    if len(segment) > _MAX_NAME_CHARS:
        raise BadValueError(f"'{segment}' is longer than any name ({_MAX_NAME_CHARS} characters)")
    if found := _FOREIGN.search(segment):
        raise BadValueError(
            f"'{text}' holds {found[0]}, which has no meaning here",
            hint="use * within one level and ** for any levels",
        )
    if not segment.isprintable():
        raise BadValueError("holds a control character")
    if ANY_LEVELS in segment and segment != ANY_LEVELS:
        raise BadValueError(
            f"'{text}' has ** within a name", hint="** stands alone between slashes; * is for names"
        )
