"""Secrets in texts and variables: what is found, unpacked, and let through."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from policies.secret_texts import leaves, secret_in, secret_in_variable, unpacked, variables
from policies.values import UNKNOWN as NOT_KNOWN

KEY_ID = "AKIA" + "IOSFODNN7EXAMPLE"
KEY_TEXT = f"the key is {KEY_ID} and this is text"


def encoded(content: str | bytes) -> str:
    raw = content.encode() if isinstance(content, str) else content
    return base64.b64encode(raw).decode()


def layered(times: int) -> str:
    text = KEY_TEXT
    for _ in range(times):
        text = encoded(text)
    return text


def test_secrets_are_found_in_every_layer() -> None:
    assert secret_in(KEY_TEXT) == "an AWS access key id"
    assert secret_in("nothing to see") is None
    assert secret_in("") is None
    assert secret_in(encoded(gzip.compress(KEY_TEXT.encode()))) == "an AWS access key id"
    assert secret_in(f"a: {encoded('nothing in this text here')}\nb: {encoded(KEY_TEXT)}")
    assert secret_in(layered(4)) == "an AWS access key id"
    assert secret_in(layered(5)) is None
    # In parts, as MIME has it.
    packed = encoded(KEY_TEXT * 3)
    assert secret_in("\n".join(packed[at : at + 76] for at in range(0, len(packed), 76)))


def test_what_is_no_text_is_not_unpacked() -> None:
    for raw in (bytes(range(30)), b"tab\tand\nline of a text" + b"\x00" * 9, b"\xff" * 24):
        assert list(unpacked(encoded(raw))) == [encoded(raw)]
    with_space = "a text with\ttabs and\nlines in it"
    assert list(unpacked(encoded(with_space))) == [encoded(with_space), with_space]
    broken = encoded(b"\x1f\x8b" + b"nothing of gzip here at all")
    assert list(unpacked(broken)) == [broken, ""]


def test_more_text_than_is_read_is_told() -> None:
    assert secret_in("x " * 500_000) == "more text than is read (1000000 characters)"
    assert secret_in("x " * 499_999 + "x") is None


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("DB_PASSWORD", "x", "a value whose name says that it is secret"),
        ("DB_PASSWORD", " ", None),
        ("DB_PASSWORD", 5, None),
        ("DB_PASSWORD", None, None),
        ("DB_PASSWORD_FILE", "x", None),
        ("DB_PASSWORD", "arn:aws:secretsmanager:a:1:secret:b", None),
        ("DB_PASSWORD", "/run/secrets/db", None),
        ("DB_PASSWORD", "${DB_PASSWORD}", None),
        ("DB_HOST", "x", None),
        ("PASSWORD", "hunter2hunter2", "a password"),
        ("NOTE", KEY_TEXT, "an AWS access key id"),
        ("NOTE", encoded(KEY_TEXT), "an AWS access key id"),
        ("SECRET_KEY", encoded("nothing in this text here"), "a password"),
    ],
)
def test_secrets_in_variables(name: str, value: Any, kind: str | None) -> None:
    assert secret_in_variable(name, value) == kind


def test_texts_inside_a_value_have_their_place() -> None:
    value = {"a": {"b": "x"}, "c": ["y", {"d": "z"}], "e": 5, "f": NOT_KNOWN}
    assert list(leaves(value)) == [("a.b", "x"), ("c[0]", "y"), ("c[1].d", "z")]
    assert list(leaves("x", "place")) == [("place", "x")]
    assert list(leaves(["x"], "place")) == [("place[0]", "x")]
    assert list(leaves({"a": "x"}, "place")) == [("place.a", "x")]


def test_variables_inside_a_value_have_their_place() -> None:
    one = {"name": "A", "value": "x"}
    assert list(variables(one)) == [(".A", "x")]
    assert list(variables({"Name": "A", "VALUE": "x"})) == [(".A", "x")]
    listed = {"containers": [{"environment": [one]}, "text"]}
    assert list(variables(listed)) == [(".containers[0].environment[0].A", "x")]
    assert list(variables(json.dumps(listed))) == list(variables(listed))
    assert list(variables(f"  {json.dumps([one])}")) == [("[0].A", "x")]
    assert list(variables("text")) == []
    assert list(variables("{")) == []
    assert list(variables("5")) == []
    for incomplete in ({"name": "A"}, {"value": "x"}, {"name": 5, "value": "x"},
                       {"name": "A", "value": 5}):  # fmt: skip
        assert list(variables(incomplete)) == []
    # A text inside is a value, and no document of its own.
    assert list(variables({"a": json.dumps(one)})) == []
    assert list(variables([json.dumps(one)])) == []
    assert list(variables(json.dumps([one, "x" * 1_000_000]))) == []


@pytest.mark.parametrize(
    "text",
    [
        'export DATABASE_PASSWORD=\\"SomeSortOfWord\\"',
        json.dumps({"write_files": [{"content": "umask 077\npassword=SomeSortOfWord\n"}]}),
        json.dumps(json.dumps({"run": 'export PGPASSWORD="SomeSortOfWord"'})),
        "a\\tpassword=SomeSortOfWord",
        "a\\rpassword=SomeSortOfWord",
    ],
)
def test_secrets_in_escaped_text(text: str) -> None:
    assert secret_in(text) == "a password"


def test_escaped_text_without_secrets() -> None:
    assert secret_in("C:\\new\\table\\'s \\\\n") is None
    assert list(unpacked("a\\nb")) == ["a\\nb", "a\nb"]
    assert list(unpacked("a\\zb")) == ["a\\zb"]
