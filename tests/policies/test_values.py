"""Property values: what each reader makes of every kind of value."""

from __future__ import annotations

from typing import Any

import pytest

from policies.values import (
    UNKNOWN,
    Wrong,
    boolean,
    contains_unknown,
    hidden_properties,
    integer,
    is_unknown_text,
    one_or_many,
    plain,
    sequence,
    shown,
    text,
)

SENTINEL = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270"}
OUTPUT = {SIGNATURE: "d0e6a833031e9bbcd3f4e8bde6ca49a4"}
REFERENCE = {SIGNATURE: "5cf8f73096256a8f31e491e813e4eb8e"}


def nested(levels: int) -> Any:
    value: Any = "end"
    for _ in range(levels):
        value = [value]
    return value


def innermost(value: Any) -> Any:
    while isinstance(value, list):
        (value,) = value
    return value


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("a", "a"),
        (SENTINEL, UNKNOWN),
        (f"arn:{SENTINEL}/key", UNKNOWN),
        (None, None),
        (True, True),
        (7.0, 7),
        (7.5, 7.5),
        (b"ab", b"ab"),
        ({"a": None, "b": 1.0}, {"b": 1}),
        ({5: [None, "x"]}, {"5": [None, "x"]}),
        (("a", SENTINEL), ["a", UNKNOWN]),
        ({**SECRET, "value": {"a": SENTINEL}}, {"a": UNKNOWN}),
        ({**SECRET, "value": None}, None),
        ({**SECRET, "plaintext": '{"a": [1]}'}, {"a": [1]}),
        ({**SECRET, "plaintext": "{"}, Wrong("(a secret)", "JSON text")),
        ({**SECRET, "plaintext": 5}, UNKNOWN),
        ({**SECRET, "ciphertext": "AAA"}, UNKNOWN),
        ({**SECRET, "value": "a", "plaintext": '"b"'}, "a"),
        (OUTPUT, UNKNOWN),
        ({**OUTPUT, "value": "a"}, "a"),
        ({**REFERENCE, "id": "i-1", "urn": "u"}, "i-1"),
        ({**REFERENCE, "urn": "u"}, UNKNOWN),
        ({**REFERENCE, "id": SENTINEL}, UNKNOWN),
        ({SIGNATURE: "another", "a": 1, "b": None}, {SIGNATURE: "another", "a": 1}),
    ],
)
def test_what_the_engine_sends_is_read_as_plain_values(raw: object, read: object) -> None:
    found = plain(raw)
    assert found == read
    assert type(found) is type(read)


def test_other_objects_stay_as_they_are() -> None:
    other = object()
    assert plain(other) is other


def test_what_is_nested_too_deeply_is_cut_off() -> None:
    assert innermost(plain(nested(100))) == "end"
    assert innermost(plain(nested(101))) == Wrong("…", "at most 100 levels of nesting")


def test_only_a_secret_that_cannot_be_read_is_hidden() -> None:
    properties = {
        "hidden": {**SECRET, "ciphertext": "AAA"},
        "odd": {**SECRET, "plaintext": 5},
        "shown": {**SECRET, "plaintext": '"a"'},
        "value": {**SECRET, "value": "a"},
        "other": {**OUTPUT, "ciphertext": "AAA"},
        "map": {"ciphertext": "AAA"},
        "text": "a",
    }
    assert hidden_properties(properties) == {"hidden", "odd"}


def test_a_marker_of_the_unknown_may_stand_anywhere_in_a_text() -> None:
    assert is_unknown_text(SENTINEL)
    assert is_unknown_text(f"a{SENTINEL}b")
    assert not is_unknown_text(SENTINEL[:-1])
    assert not is_unknown_text("x" * 40)


def test_unknown_is_found_at_any_depth() -> None:
    for value in (UNKNOWN, [1, [UNKNOWN]], {"a": {"b": UNKNOWN}}, [{"a": UNKNOWN}]):
        assert contains_unknown(value)
    for other in (None, "a", [1, [2]], {"a": {"b": 1}}):
        assert not contains_unknown(other)


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        (None, True),
        (True, True),
        (False, False),
        ("true", True),
        ("FALSE", False),
        (UNKNOWN, UNKNOWN),
        ("yes", Wrong("yes", "true or false")),
        (1, Wrong(1, "true or false")),
        ([], Wrong([], "true or false")),
    ],
)
def test_yes_or_no(raw: object, read: object) -> None:
    assert boolean(raw, default=True) == read


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        (None, 5),
        (7, 7),
        (-7, -7),
        (7.0, 7),
        ("7", 7),
        ("999999999", 999_999_999),
        (UNKNOWN, UNKNOWN),
        *(
            (wrong, Wrong(wrong, "a whole number"))
            for wrong in (True, 7.5, float("inf"), "", "7.0", "-7", "x", "²", "٣", "1000000000", [])
        ),
    ],
)
def test_whole_numbers(raw: object, read: object) -> None:
    assert integer(raw, default=5) == read


def test_texts_and_lists() -> None:
    assert text(None, default="a") == "a"
    assert text("b", default="a") == "b"
    assert text(UNKNOWN) is UNKNOWN
    assert text(5) == Wrong(5, "a string")
    assert sequence(None) == []
    assert sequence(["a"]) == ["a"]
    assert sequence(UNKNOWN) is UNKNOWN
    assert sequence("a") == Wrong("a", "a list")
    assert one_or_many(None) == []
    assert one_or_many("a") == ["a"]
    assert one_or_many(["a"]) == ["a"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "(not set)"),
        (UNKNOWN, "(known after apply)"),
        (Wrong("x", "a list"), '"x" (str, not a list)'),
        (True, "true"),
        (5, "5"),
        ("a\n b", '"a b"'),
        (["a"], "['a']"),
        ("x" * 78, f'"{"x" * 78}"'),
        ("x" * 79, f'"{"x" * 78}…'),
    ],
)
def test_messages_show_values_on_one_short_line(value: object, text: str) -> None:
    assert shown(value) == text
