# SPDX-License-Identifier: GPL-2.0-or-later

import pytest

from reclaimd.config.document import MAX_VALUES, read_document
from reclaimd.config.problem import InvalidConfigError

NESTED = b"""\
a:
  b: [x, 1]
  'c':  {d: "2"}
"""


def error_of(data: bytes) -> str:
    with pytest.raises(InvalidConfigError) as caught:
        read_document(data, "f.yaml")
    return str(caught.value)


def test_values() -> None:
    assert read_document(NESTED, "f.yaml").value == {"a": {"b": ["x", 1], "c": {"d": "2"}}}


@pytest.mark.parametrize(
    ("path", "position"),
    [
        ((), "f.yaml:1:1"),
        (("a",), "f.yaml:2:3"),
        (("a", "b"), "f.yaml:2:6"),
        (("a", "b", 1), "f.yaml:2:10"),
        (("a", "c", "d"), "f.yaml:3:13"),
    ],
)
def test_every_value_has_its_position(path: tuple[str | int, ...], position: str) -> None:
    assert str(read_document(NESTED, "f.yaml").position(path)) == position


def test_every_key_has_its_position() -> None:
    assert str(read_document(NESTED, "f.yaml").key_position(("a", "c"))) == "f.yaml:3:3"


def test_steps_that_the_file_leaves_out_lead_to_what_would_hold_them() -> None:
    document = read_document(NESTED, "f.yaml")
    assert document.position(("a", "long", "b", 1)) == document.position(("a", "b", 1))
    assert document.position(("a", "missing")) == document.position(("a",))


def test_columns_count_characters_not_bytes() -> None:
    document = read_document("{ä: 1, b: 2}".encode(), "f.yaml")
    assert document.position(("b",)).column == 11


def test_a_byte_order_mark_is_no_column() -> None:
    assert read_document(b"\xef\xbb\xbfa: 1\n", "f.yaml").position(("a",)).column == 4


def test_yaml_1_1_booleans_are_text_as_keys_and_values() -> None:
    assert read_document(b"on: yes\n", "f.yaml").value == {"on": "yes"}


def test_quoted_scalars_are_text() -> None:
    assert read_document(b"a: '1'\nb: |\n  2\n", "f.yaml").value == {"a": "1", "b": "2\n"}


def test_a_key_given_twice_names_both_places_and_the_first_counts() -> None:
    document = read_document(b"a: 1\nb: 2\n'a': 3\n", "f.yaml")
    assert [str(problem) for problem in document.problems] == [
        "f.yaml:3:1: duplicate key 'a', first given in line 1, column 1; remove one of the two"
    ]
    assert document.value == {"a": 1, "b": 2}


@pytest.mark.parametrize("data", [b"? [a]\n: 1\n", b"{a: 1}: 2\n", b"? \n: 1\n", b"'': 1\n"])
def test_keys_must_be_names(data: bytes) -> None:
    (problem,) = read_document(data, "f.yaml").problems
    assert problem.text == "a key must be a name"


def test_an_alias_has_the_value_of_its_anchor_and_its_position() -> None:
    document = read_document(b"a: &x [1, 2]\nb: *x\n", "f.yaml")
    assert document.value == {"a": [1, 2], "b": [1, 2]}
    assert document.position(("b", 1)) == document.position(("a", 1))


def test_an_alias_to_what_it_is_in_is_refused() -> None:
    assert error_of(b"a: &x\n  b: [*x]\n") == (
        "f.yaml:1:4: an alias refers to what it is a part of; write the value out"
    )


def test_aliases_that_multiply_are_refused() -> None:
    lines = [b"a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [b"a%d: &a%d [%s]" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 10)]
    assert f"aliases make this more than {MAX_VALUES} values" in error_of(b"\n".join(lines))
