# SPDX-License-Identifier: GPL-2.0-or-later

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reclaimd.config.bad_value import BadValueError
from reclaimd.config.glob import parse_glob


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("/batch.slice", ("batch.slice",)),
        ("/batch.slice/*", ("batch.slice", "*")),
        ("/**/db-*.service", ("**", "db-*.service")),
        ("/a/**", ("a", "**")),
        (r"/dev-disk-by\x2duuid.swap", (r"dev-disk-by\x2duuid.swap",)),
        ("/user@1000.service", ("user@1000.service",)),
        ("/with space", ("with space",)),
    ],
)
def test_globs(text: str, segments: tuple[str, ...]) -> None:
    glob = parse_glob(text)
    assert glob.segments == segments
    assert str(glob) == text


@pytest.mark.parametrize(
    ("value", "message", "hint"),
    [
        ("batch/*", "'batch/*' is not a cgroup path", "start at the cgroup root: /batch/*"),
        ("", "'' is not a cgroup path", "start at the cgroup root: /"),
        ("/", "the root cgroup cannot be governed", "write /*"),
        ("/sys/fs/cgroup/batch", "'/sys/fs/cgroup/batch' includes the mount point", "write /batch"),
        ("/sys/fs/cgroup", "'/sys/fs/cgroup' includes the mount point", "write /*"),
        ("/a/", "'/a/' has an empty segment, . or ..", "/proc/PID/cgroup"),
        ("//a", "'//a' has an empty segment, . or ..", "/proc/PID/cgroup"),
        ("/a/../b", "'/a/../b' has an empty segment, . or ..", "/proc/PID/cgroup"),
        ("/a/**/**/b", "'/a/**/**/b' repeats **", "any number of levels"),
        ("/a/b**", "'/a/b**' has ** within a name", "between slashes"),
        ("/a?", "'/a?' holds ?, which has no meaning here", "use *"),
        ("/{a,b}", "'/{a,b}' holds {, which has no meaning here", "use *"),
        ("/a\x00b", "holds a control character", ""),
        (7, "must be a cgroup path, not a number", "/batch.slice/*"),
        (None, "must be a cgroup path, not empty", "/batch.slice/*"),
    ],
)
def test_refused_globs_say_what_to_write(value: object, message: str, hint: str) -> None:
    with pytest.raises(BadValueError) as caught:
        parse_glob(value)
    assert caught.value.message == message
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize("text", ["/" + "a" * 256, "/a" * 2049])
def test_what_is_longer_than_any_path_is_refused(text: str) -> None:
    with pytest.raises(BadValueError, match="longer than any"):
        parse_glob(text)


@given(st.one_of(st.text(), st.text("/ab*.?\\\0", max_size=30)))
def test_nothing_but_bad_value_is_raised(text: str) -> None:
    with suppress(BadValueError):
        assert "/" + "/".join(parse_glob(text).segments) == text
