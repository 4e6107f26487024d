# SPDX-License-Identifier: GPL-2.0-or-later

import pytest

from reclaimd.config import syntax
from reclaimd.config.problem import InvalidConfigError
from reclaimd.config.syntax import MAX_DEPTH, MAX_FILE_BYTES, compose


def lines_of(data: bytes) -> list[str]:
    with pytest.raises(InvalidConfigError) as caught:
        compose(data, "f.yaml")
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"a:\n\tb: 1\n", "f.yaml:2:1: a tab stands where only spaces may; replace it with spaces"),
        (b"a: b: 1\n", "f.yaml:1:5: a ':' too many; put the value in quotes, or check the indentation"),
        (
            b"a: 1\nb\nc: 2\n",
            "f.yaml:3:1: a key without ':' (this part starts in line 2); write it as key: value",
        ),
        (
            b"a:\n  b: 1\n   c: 2\n",
            "f.yaml:3:5: a ':' too many; put the value in quotes, or check the indentation",
        ),
        (
            b"a:\n    b: 1\n  c: 2\n",
            (
                "f.yaml:3:3: the indentation does not fit the lines above (this part starts in line 1);"
                " line it up with them"
            ),
        ),
        (
            b"a: 'x\nb: 1\n",
            "f.yaml:3:1: a quote is opened and never closed (this part starts in line 1); close it",
        ),
        (
            b"a: [1, 2\nb: 1\n",
            (
                "f.yaml:2:2: a '[' is opened and never closed (this part starts in line 1);"
                " close it, and put commas between the items"
            ),
        ),
        (
            b"a: {b: 1\nc: 1\n",
            (
                "f.yaml:2:2: a '{' is opened and never closed (this part starts in line 1);"
                " close it, and put commas between the entries"
            ),
        ),
        (b"match: *\n", "f.yaml:1:9: * starts an alias; put a text that starts with * in quotes"),
        (
            b"match: *.service\n",
            "f.yaml:1:9: * starts an alias; put a text that starts with * in quotes",
        ),
        (b"a: *b\n", "f.yaml:1:4: the file has no such anchor; put a text that starts with * in quotes"),
        (b"a: @x\n", "f.yaml:1:4: a text cannot start with this character; put the text in quotes"),
        (
            b"a: 1\n---\nb: 1\n",
            (
                "f.yaml:2:1: a second document starts here (this part starts in line 1);"
                " a configuration is one document: remove the ---"
            ),
        ),
        (
            b"a: &x 1\nb: &x 2\n",
            (
                "f.yaml:2:4: an anchor of this name was already given (this part starts in line 1);"
                " rename one of the two"
            ),
        ),
        (b"a: !!str 1\n", "f.yaml:1:4: the tag tag:yaml.org,2002:str has no meaning here; remove it"),
        (b"a: !secret 1\n", "f.yaml:1:4: the tag !secret has no meaning here; remove it"),
        (b"a: ! 1\n", "f.yaml:1:4: the tag ! has no meaning here; remove it"),
        (b"a: 1\nb: \xff\n", "f.yaml:2:4: byte 0xff is not UTF-8; save the file as UTF-8"),
        (b"a: 1\r\nb: \x00\n", "f.yaml:2:4: character U+0000 may not stand in a YAML file; remove it"),
        (b"a: \x1b[0m\n", "f.yaml:1:4: character U+001B may not stand in a YAML file; remove it"),
        ("a: \u2028\n".encode(), "f.yaml:1:4: character U+2028 may not stand in a YAML file; remove it"),
        ("ä: \x07\n".encode(), "f.yaml:1:4: character U+0007 may not stand in a YAML file; remove it"),
        ("a: 1\n".encode("utf-16"), "f.yaml:1:1: the file is not UTF-8; save it as UTF-8"),
        (b"#" * (MAX_FILE_BYTES + 1), f"f.yaml:1:1: the file is larger than {MAX_FILE_BYTES // 1024}KiB"),
    ],
)
def test_what_is_not_yaml_is_one_line_with_its_place(data: bytes, line: str) -> None:
    assert lines_of(data) == [line]


@pytest.mark.parametrize(
    "data", [b'a: "\\UFFFFFFFF"\n', b"%YAML " + b"9" * 5000 + b".1\n---\na: 1\n", b"%FOO\n--- &\n"]
)
def test_what_pyyaml_has_no_good_error_for_is_one_line_too(data: bytes) -> None:
    (line,) = lines_of(data)
    assert line.startswith("f.yaml:")
    assert "not valid YAML" in line


def test_every_tag_is_reported() -> None:
    assert len(lines_of(b"a: !x 1\nb: !y [!z 2]\n")) == 3


def test_depth_is_bounded() -> None:
    (line,) = lines_of(b"[" * (MAX_DEPTH + 1))
    assert line == f"f.yaml:1:{MAX_DEPTH + 1}: not valid YAML: more than {MAX_DEPTH} levels deep"


def test_number_of_values_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syntax, "MAX_NODES", 100)
    node = compose(b"[" + b"1," * 99 + b"]", "f.yaml")
    assert node is not None
    assert len(node.value) == 99
    assert lines_of(b"[" + b"1," * 100 + b"]") == ["f.yaml:1:200: not valid YAML: more than 100 values"]


@pytest.mark.parametrize(
    "data",
    [
        b"a: 1\n",
        b"\xef\xbb\xbfa: 1\n",
        b"a: 1\r\n",
        b"%YAML 1.2\n---\na: 1\n",
        b"a: 1 # \xc3\xa4\n",
        b"? a\n: 1\n",
    ],
)
def test_yaml_is_accepted(data: bytes) -> None:
    node = compose(data, "f.yaml")
    assert node is not None
    assert node.value[0][0].value == "a"


@pytest.mark.parametrize("data", [b"", b"\n", b"# only this\n", b"\xef\xbb\xbf"])
def test_a_file_with_nothing_in_it_has_no_node(data: bytes) -> None:
    assert compose(data, "f.yaml") is None
