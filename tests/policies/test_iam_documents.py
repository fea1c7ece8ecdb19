"""IAM documents as they are read: every spelling, and everything that is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policies.documents import (
    MAXIMUM_CHARACTERS,
    MalformedDocumentError,
    Statement,
    covers_everything_below,
    is_wildcard,
    matches,
    parse,
    parse_json,
)
from policies.effective import Denials, Restraint, includes, overlap
from policies.values import UNKNOWN, Wrong
from tests.policies.good_stack import UNKNOWN_STRING

ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}


def statements(document: object) -> list[Statement]:
    parsed = parse(document)
    assert isinstance(parsed, list)
    return parsed


def one(**elements: object) -> Statement:
    (statement,) = statements({"Statement": elements})
    return statement


@pytest.mark.parametrize("nothing", [None, "", " \n", {}, "{}", {"Version": "2012-10-17"}])
def test_no_document_has_no_statements(nothing: object) -> None:
    assert parse(nothing) == []


@pytest.mark.parametrize(
    "unknown", [UNKNOWN, UNKNOWN_STRING, f"x{UNKNOWN_STRING}", {"Statement": UNKNOWN}], ids=str
)
def test_what_is_not_known_is_not_known(unknown: object) -> None:
    assert parse(unknown) is UNKNOWN


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "is not a JSON object"),
        ("5", "is not a JSON object"),
        (5, "is not a JSON object"),
        ("{", "is not valid JSON (Expecting property name enclosed in double quotes at line 1"),
        ('{"Version": 1, "Version": 2}', "is not valid JSON (a key stands twice in one object)"),
        ({"Statements": []}, 'has the unknown element "statements"'),
        ({"statement": [], "Statement": []}, "has two elements whose names differ only in case"),
        ({"Statement": "Allow"}, "has a statement 1 that is not an object"),
        ({"Statement": [ALLOW, 5]}, "has a statement 2 that is not an object"),
        ({"Statement": {"Effects": "Deny"}}, 'has an unknown element "effects" in statement 1'),
        ({"Statement": {"Effect": "Deny", "effect": "Allow"}}, "names differ only in case"),
        (" " * MAXIMUM_CHARACTERS + "{}", f"has {MAXIMUM_CHARACTERS + 2} characters"),
        ("[" * 100_000, "is nested too deeply"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_what_cannot_be_read_is_said(document: object, words: str) -> None:
    with pytest.raises(MalformedDocumentError) as caught:
        parse(document)
    assert words in str(caught.value)


def test_the_longest_document_is_read() -> None:
    assert parse_json("{}".ljust(MAXIMUM_CHARACTERS)) == {}


@pytest.mark.parametrize(
    ("effect", "allows"),
    [("Allow", True), ("Deny", False), ("DENY", False), ("Denied", True), (None, True), (5, True)],
)
def test_only_a_plain_deny_denies(effect: object, allows: bool) -> None:
    statement = one(**{**ALLOW, "Effect": effect})
    assert (statement.allows, statement.denies) == (allows, not allows)
    assert not statement.unknown


def test_an_unknown_statement_may_allow() -> None:
    for unknown in (one(**{**ALLOW, "Effect": UNKNOWN}), statements({"Statement": [UNKNOWN]})[0]):
        assert unknown.unknown
        assert unknown.allows
        assert not unknown.denies


def test_one_or_many_texts_and_what_is_none() -> None:
    assert one(Action="a", Resource=["b", UNKNOWN]).actions == ("a",)
    assert one(Resource=["b", UNKNOWN]).resources == ("b", UNKNOWN)
    assert one(NotAction=["a", 5]).not_actions == ("a", Wrong("5", "a text"))
    assert one(NotResource=[["a"]]).not_resources == (Wrong("['a']", "a text"),)


@pytest.mark.parametrize(
    ("principal", "expected"),
    [
        ("*", (("AWS", "*"),)),
        ({"Service": ["a", "b"]}, (("Service", "a"), ("Service", "b"))),
        (["a"], (("AWS", "a"),)),
        (UNKNOWN, (("AWS", UNKNOWN),)),
        (None, ()),
    ],
    ids=str,
)
def test_principals_have_a_kind(principal: object, expected: Any) -> None:
    assert one(Principal=principal).principals == expected
    assert one(NotPrincipal=principal).not_principals == expected


def test_patterns() -> None:
    assert matches("S3:Get*", "s3:getobject")
    assert matches("s3:[x]?", "s3:[x]y")
    assert not matches("s3:[xy]", "s3:x")
    assert covers_everything_below("s3:*", "s3:")
    assert covers_everything_below("*", "s3:")
    assert not covers_everything_below("s3:Get*", "s3:")
    assert not covers_everything_below("s3:", "s3:")
    assert is_wildcard("*?")
    assert not is_wildcard("")
    assert not is_wildcard("a*")


BACKUPS = "arn:aws:s3:::backups/*"
DENY: dict[str, Any] = {"Effect": "Deny", "Action": "s3:Delete*", "Resource": BACKUPS}
DELETES: dict[str, Any] = {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": BACKUPS}


def left(allow: dict[str, Any], *denials: dict[str, Any]) -> tuple[object, ...] | None:
    """The actions that denials leave of an Allow; `None` if it is gone as a whole."""
    found = Denials(one(**deny) for deny in denials).left_of(one(**allow))
    return found and found.actions


@pytest.mark.parametrize(
    ("change", "to_deny"),
    [
        ({}, {"Effect": "Allow"}),
        ({}, {"Condition": {"Bool": {"a": "true"}}}),
        ({}, {"Principal": "*"}),
        ({}, {"NotPrincipal": {"AWS": "a"}}),
        ({}, {"Action": "s3:Get*"}),
        ({}, {"Action": UNKNOWN}),
        ({}, {"Action": None, "NotAction": "s3:deleteobject"}),
        ({}, {"Action": None, "NotAction": UNKNOWN}),
        ({}, {"NotAction": "s3:Get*"}),
        ({}, {"Resource": "arn:aws:s3:::backups/daily/*"}),
        ({}, {"Resource": None}),
        ({"Resource": None}, {}),
        ({"Resource": UNKNOWN}, {}),
        ({"Resource": [BACKUPS, "arn:aws:s3:::logs"]}, {}),
        ({"NotResource": "arn:aws:s3:::logs"}, {}),
        ({"Resource": None, "NotResource": "arn:aws:s3:::logs"}, {}),
    ],
    ids=str,
)
def test_what_a_denial_leaves(change: dict[str, Any], to_deny: dict[str, Any]) -> None:
    assert left(DELETES, DENY) is None
    assert left({**DELETES, **change}, {**DENY, **to_deny}) == ("s3:DeleteObject",)


@pytest.mark.parametrize(
    "to_deny",
    [
        {"Condition": {}},
        {"Action": "S3:DELETEOBJECT"},
        {"Resource": "*"},
        {"Action": None, "NotAction": "s3:Get*"},
        {"Resource": None, "NotResource": "arn:aws:s3:::logs/*"},
        {"Action": [UNKNOWN, "s3:*"], "Resource": [UNKNOWN, "*"]},
    ],
    ids=str,
)
def test_what_a_denial_takes_away(to_deny: dict[str, Any]) -> None:
    assert left(DELETES, {**DENY, **to_deny}) is None


def test_a_denial_takes_single_actions() -> None:
    several = {**DELETES, "Action": ["s3:DeleteObject", "s3:GetObject", UNKNOWN]}
    assert left(several, DENY) == ("s3:GetObject", UNKNOWN)
    assert left(several) == ("s3:DeleteObject", "s3:GetObject", UNKNOWN)
    # Everything but something is left as it is, with what stands beside it.
    assert left({**DELETES, "NotAction": "s3:Get*"}, DENY) == ("s3:DeleteObject",)
    whole = Denials([one(**{**DENY, "Action": "*", "Resource": "*"})])
    assert whole.left_of(one(Effect="Allow", NotAction="iam:*", Resource="*"))


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("a", "", False),
        ("?", "", False),
        ("a", "a", True),
        ("a", "ab", False),
        ("ab", "a", False),
        ("?", "a", True),
        ("?", "?", True),
        ("?", "*", False),
        ("a", "?", False),
        ("a*", "ab*", True),
        ("*b", "ab", True),
        ("*b", "a*", False),
        ("b*", "ab", False),
        ("b*a*", "ab", False),
        ("a" * 600, "a" * 600, True),
        ("a" * 599 + "?", "a" * 600, False),
        ("**", "a" * 600, True),
        ("a*", "a" * 600, False),
        ("a" * 513, "a", False),
        ("*" + "a" * 511, "b" + "a" * 511, True),
    ],
)
def test_one_pattern_includes_another(wide: str, narrow: str, expected: bool) -> None:
    assert includes(wide, narrow) is expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("", "", True),
        ("", "*", True),
        ("", "?", False),
        ("", "a", False),
        ("a", "ab", False),
        ("a", "b", False),
        ("a?", "?b", True),
        ("a*", "*b", True),
        ("a*", "b*", False),
        ("*a", "*b", False),
        ("*a*", "b", False),
        ("a*c", "ab", False),
        ("a" * 600, "b", True),
        ("a" * 512, "b" * 512, False),
    ],
)
def test_two_patterns_have_a_text_in_common(one: str, other: str, expected: bool) -> None:
    assert overlap(one, other) is expected
    assert overlap(other, one) is expected


def test_a_document_is_the_same_as_text_and_as_an_object() -> None:
    assert statements(json.dumps({"Statement": ALLOW})) == statements({"Statement": [ALLOW]})


@pytest.mark.parametrize(
    ("bound", "taken"),
    [
        ({"Action": "s3:*"}, False),
        ({"Action": "ec2:*"}, True),
        ({"Action": "s3:*", "Resource": "arn:aws:s3:::b/c*"}, False),
        ({"Action": "s3:*", "Resource": "arn:aws:s3:::d/*"}, True),
        ({"Action": "s3:*", "Resource": 5}, False),
        ({"NotAction": "s3:*"}, True),
        ({"NotAction": [5, "s3:Get*"]}, True),
        ({"NotAction": "ec2:*"}, False),
        ({"NotAction": 5}, False),
        ({"Action": "ec2:*", "Effect": UNKNOWN}, False),
        ({"Action": "s3:*", "Effect": "Deny", "Condition": {"Bool": {"a": "b"}}}, True),
    ],
    ids=str,
)
def test_what_a_boundary_takes_away(bound: dict[str, Any], taken: bool) -> None:
    boundary = tuple(statements({"Statement": [{"Effect": "Allow", "Resource": "*", **bound}]}))
    restraint = Restraint((), boundary)
    allowed = one(Effect="Allow", Action="s3:GetObject", Resource="arn:aws:s3:::b/*")
    assert restraint.takes_away("s3:GetObject", allowed) == taken
    assert not Restraint((), None).takes_away("s3:GetObject", allowed)
    assert Restraint((), ()).takes_away("s3:GetObject", allowed)
    anything = one(Effect="Allow", Action="s3:GetObject", Resource=5)
    wide = bound.get("Resource") == "arn:aws:s3:::d/*"
    assert restraint.takes_away("s3:GetObject", anything) == (taken and not wide)
