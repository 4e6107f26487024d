# SPDX-License-Identifier: GPL-2.0-or-later

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reclaimd.config import load_config, parse_config
from reclaimd.config.problem import InvalidConfigError
from reclaimd.errors import ConfigError, NotPermittedError

VALID = """\
policies:
  - name: batch
    match: {include: [/batch.slice/*], exclude: /batch.slice/db}
    reclaim:
      start: 75%
      stop: 70%
    back_pressure:
      start: 90%
      max_delay: 100ms
  - name: demo
    match: /demo/*
    reclaim: {start: 24MiB, stop: 22MiB}
metrics:
  listen: 127.0.0.1:19765
log:
  format: json
  level: info
"""


def lines_of(text: str) -> list[str]:
    with pytest.raises(InvalidConfigError) as caught:
        parse_config(text.encode(), "f.yaml")
    return str(caught.value).splitlines()


@contextmanager
def without_privileges() -> Iterator[None]:
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_valid_file(tmp_path: Path) -> None:
    path = tmp_path / "reclaimd.yaml"
    path.write_text(VALID)
    loaded = load_config(path)
    assert [policy.name for policy in loaded.config.policies] == ["batch", "demo"]
    assert str(loaded.position("policies", 1, "match")) == f"{path}:11:12"


def test_what_is_left_out_has_the_position_of_what_would_hold_it() -> None:
    loaded = parse_config(VALID.encode(), "f.yaml")
    assert loaded.position("policies", 1, "back_pressure") == loaded.position("policies", 1)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "none.yaml")
    assert (
        str(caught.value) == f"{tmp_path}/none.yaml: no such file; name the configuration with --config FILE"
    )


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path)
    assert str(caught.value) == f"{tmp_path}: cannot be read: Is a directory"


def test_no_permission(tmp_path: Path) -> None:
    path = tmp_path / "reclaimd.yaml"
    path.write_text(VALID)
    path.chmod(0)
    with without_privileges(), pytest.raises(NotPermittedError, match="permission denied; run as root"):
        load_config(path)


def test_no_path_at_all() -> None:
    with pytest.raises(ConfigError, match=r"^a\\x00b: cannot be read"):
        load_config(Path("a\0b"))


def test_endless_files_are_not_read_to_the_end() -> None:
    with pytest.raises(ConfigError, match="larger than"):
        load_config(Path("/dev/zero"))


@pytest.mark.parametrize("text", ["null\n", "~\n", "---\n"])
def test_an_empty_document_says_what_an_empty_policy_is(text: str) -> None:
    assert lines_of(text) == ["f.yaml:1:1: the file is empty; write 'policies: []' to govern nothing"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[]", "f.yaml:1:1: must be a mapping, but is a list; write its keys as indented 'key: value' lines"),
        (
            "hello",
            "f.yaml:1:1: must be a mapping, but is text; write its keys as indented 'key: value' lines",
        ),
        ("{}", "f.yaml:1:1: the key 'policies' is missing; add for example 'policies: []'"),
        (
            "policies:",
            (
                "f.yaml:1:10: policies: must be a list, but is empty;"
                " write its items as lines that start with '- '"
            ),
        ),
        (
            "policies: {a: 1}",
            (
                "f.yaml:1:11: policies: must be a list, but is a mapping;"
                " write its items as lines that start with '- '"
            ),
        ),
        (
            "policies: [batch]",
            (
                "f.yaml:1:12: this policy: must be a mapping, but is text;"
                " write its keys as indented 'key: value' lines"
            ),
        ),
        ("policies: []\nlogs: {}", "f.yaml:2:1: unknown key 'logs'; did you mean 'log'?"),
        (
            "policies: []\nxyz: {}",
            "f.yaml:2:1: unknown key 'xyz'; the keys here are policies, backend, keep_on_stop, metrics, log",
        ),
        ("policies: []\nlisten: 1", "f.yaml:2:1: unknown key 'listen'; it belongs into metrics"),
        (
            "policies: []\nlog: {max_delay: 1}",
            "f.yaml:2:7: unknown key 'max_delay' in log; it belongs into back_pressure",
        ),
        (
            "policies: []\n<<: {}",
            "f.yaml:2:1: unknown key '<<'; the keys here are policies, backend, keep_on_stop, metrics, log",
        ),
        (
            "policies: []\nlog:",
            "f.yaml:2:5: log: must be a mapping, but is empty; write its keys as indented 'key: value' lines",
        ),
        (
            "policies: []\nlog: {level: loud}",
            "f.yaml:2:14: log.level: 'loud' is not known; write debug or info or warning or error",
        ),
        (
            "policies: []\nlog: {level: 3}",
            "f.yaml:2:14: log.level: must be text, not a number; write debug or info or warning or error",
        ),
    ],
)
def test_mistakes_at_the_top(text: str, line: str) -> None:
    assert lines_of(text) == [line]


@pytest.mark.parametrize(
    ("right", "wrong", "place", "text", "hint"),
    [
        (
            "start: 75%",
            "start: 75",
            "5:14",
            "reclaim.start: 75 has no unit",
            "write the unit with the number, for example 24MiB or 75%",
        ),
        (
            "start: 75%",
            "start:",
            "5:13",
            "reclaim.start: must be a size or a percentage, not empty",
            "write for example 24MiB or 75%",
        ),
        (
            "stop: 70%",
            "stop: 75%",
            "6:13",
            "reclaim.stop: 75% is not below start, which is 75%",
            "reclaim goes from start down to stop",
        ),
        (
            "stop: 70%",
            "stpo: 70%",
            "6:7",
            "unknown key 'stpo' in reclaim",
            "did you mean 'stop'?",
        ),
        (
            "stop: 70%",
            "stop: 70%\n      ceiling: 1MiB",
            "7:7",
            "unknown key 'ceiling' in reclaim",
            "the keys here are start, stop, high_async, floor, pass, rate, cpu, swappiness, cooldown, backoff",
        ),
        (
            "back_pressure:",
            "back-pressure:",
            "7:5",
            "unknown key 'back-pressure' in this policy",
            "did you mean 'back_pressure'?",
        ),
        (
            "start: 90%",
            "stop: 90%",
            "8:7",
            "unknown key 'stop' in back_pressure",
            "it belongs into reclaim",
        ),
        (
            "  max_delay",
            "  maxDelay",
            "9:7",
            "unknown key 'maxDelay' in back_pressure",
            "did you mean 'max_delay'?",
        ),
        (
            "max_delay: 100ms",
            "max_delay: 100",
            "9:18",
            "back_pressure.max_delay: 100 has no unit",
            "write the unit with the number, for example 100ms or 1s",
        ),
        (
            "start: 90%",
            "start: 60%",
            "8:14",
            "back_pressure.start: 60% is below reclaim.start, which is 75%",
            "delays are for when reclaim does not keep up: start them at or above reclaim.start",
        ),
        (
            "[/batch.slice/*]",
            "[/ok, batch]",
            "3:28",
            "match.include: 'batch' is not a cgroup path",
            "start at the cgroup root: /batch",
        ),
        (
            "match: /demo/*",
            "match: [/ok, /sys/fs/cgroup/x]",
            "11:18",
            "match: '/sys/fs/cgroup/x' includes the mount point",
            "write /x",
        ),
        (
            "match: /demo/*",
            "match: {exclude: /x}",
            "11:12",
            "the key 'include' is missing in match",
            "add for example 'include: [/batch.slice/*]'",
        ),
        (
            "match: /demo/*",
            "match:",
            "11:11",
            "match: must say which cgroups, but is empty",
            "write a cgroup path, a list of them, or the keys include and exclude",
        ),
        (
            "name: demo",
            "name: batch",
            "10:11",
            "policy name 'batch' is already used in line 2",
            "give each policy a name of its own",
        ),
        (
            "name: demo",
            "name: 5",
            "10:11",
            "name: must be text, not a number",
            "put it in quotes, or give it a name",
        ),
        (
            "- name: demo\n    match",
            "- match",
            "10:5",
            "the key 'name' is missing in this policy",
            "add for example 'name: batch'",
        ),
        (
            "listen: 127.0.0.1:19765",
            "listen: localhost:19765",
            "14:11",
            "metrics.listen: 'localhost' is not an IP address",
            "write for example 127.0.0.1:19765",
        ),
        (
            "level: info",
            "format: auto",
            "17:3",
            "duplicate key 'format', first given in line 16, column 3",
            "remove one of the two",
        ),
    ],
)
def test_one_mistake_is_found_where_it_is(right: str, wrong: str, place: str, text: str, hint: str) -> None:
    assert VALID.count(right) == 1
    assert f"f.yaml:{place}: {text}; {hint}" in lines_of(VALID.replace(right, wrong))


def test_all_mistakes_are_reported_in_the_order_of_the_file() -> None:
    text = VALID.replace("75%", "75").replace("name: demo", "name: batch").replace("json", "xml")
    text = text.replace("stop: 22MiB", "stop: 22MB, stop: 22MiB")
    places = [line.split(": ")[0] for line in lines_of(text)]
    assert places == ["f.yaml:5:14", "f.yaml:10:11", "f.yaml:12:35", "f.yaml:12:41", "f.yaml:16:11"]


def test_a_mistake_that_aliases_repeat_is_reported_once() -> None:
    text = """\
policies:
  - {name: a, match: /a, reclaim: &r {start: 24, stop: 1MiB}}
  - {name: b, match: /b, reclaim: *r}
"""
    assert [line.split(": ")[0] for line in lines_of(text)] == ["f.yaml:2:46"]


def parses_or_is_refused(data: bytes) -> None:
    try:
        parse_config(data, "f.yaml")
    except ConfigError as error:
        for line in str(error).splitlines():
            assert line.startswith("f.yaml:")
            assert line.isprintable()


@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    parses_or_is_refused(data)


@given(st.text("ab:- \n\t[]{}&*!|>'\"%#?,0.\\x", max_size=60))
def test_any_text_of_yaml_characters(text: str) -> None:
    parses_or_is_refused(text.encode())


@given(st.integers(0, len(VALID)), st.integers(0, 12), st.text(max_size=12))
def test_any_edit_of_a_valid_file(at: int, removed: int, inserted: str) -> None:
    text = VALID[:at] + inserted + VALID[at + removed :]
    parses_or_is_refused(text.encode("utf-8", "surrogatepass"))


SCALARS = st.sampled_from(
    ["75%", "24MiB", "/a/*", "batch", "100ms", "", "7", "true", ".nan", "1e999", "*", "'x", "&a 1"]
)
KEYS = st.sampled_from(["policies", "name", "match", "include", "reclaim", "start", "stop", "max_delay", "x"])
FLOW = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(st.tuples(KEYS, inner), max_size=4).map(
            lambda items: f"{{{', '.join(f'{key}: {value}' for key, value in items)}}}"
        ),
    ),
    max_leaves=12,
)


@settings(max_examples=50)
@given(FLOW, FLOW)
def test_any_values_in_known_places(policy: str, other: str) -> None:
    parses_or_is_refused(f"policies: [{policy}]\n".encode())
    parses_or_is_refused(VALID.replace("/demo/*", other).encode())
    parses_or_is_refused(VALID.replace("24MiB", other).encode())
