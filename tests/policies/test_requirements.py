"""Checks of single properties: what each part accepts, refuses and notes."""

from __future__ import annotations

from typing import Any

import pytest

from policies.inventory import Resource
from policies.requirements import (
    Part,
    PartCheck,
    absent,
    at_least,
    contains,
    each,
    flag,
    given,
    if_given,
    number,
    on_resource,
    one_of,
)
from policies.rules import Context, Environment, Violation
from policies.values import UNKNOWN, Wrong

SENTINEL = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
HIDDEN = {
    "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
    "ciphertext": "AAAA",
}


def said(
    check: PartCheck, environment: Environment = Environment.PROD, /, **properties: Any
) -> list[str]:
    """What is found and what must be, or "?" and what is not known yet."""
    one = Resource.of(type="t", name="n", properties=properties)
    return [
        f"{outcome.found}: {outcome.limit}"
        if isinstance(outcome, Violation)
        else f"?{outcome.needs}"
        for outcome in on_resource(check)(one, Context(environment))
    ]


def test_paths_are_read_through_objects_only() -> None:
    fields = {"a": {"b": {"c": 1}, "u": UNKNOWN, "w": Wrong(1, "x")}, "t": "text"}
    part = Part(Resource.of(type="t", name="n", properties={}), Context(), "", fields)
    assert part.read("a.b.c") == 1
    assert part.read("a.missing.c") is None
    assert part.read("a.u.c") is UNKNOWN
    assert part.read("a.w.c") == Wrong(1, "x")
    assert part.read("t.c") == Wrong("text", "an object")


def test_resources_may_be_left_out() -> None:
    one = Resource.of(type="t", name="n", properties={})
    check = given("a")
    assert len(list(on_resource(check)(one, Context()))) == 1
    assert len(list(on_resource(check, unless=lambda _: False)(one, Context()))) == 1
    assert list(on_resource(check, unless=lambda _: True)(one, Context())) == []


def test_flags() -> None:
    wanted = flag("a", True, default=False)
    assert said(wanted, a=True) == []
    assert said(wanted) == ["has a = (not set): be true"]
    assert said(wanted, a=SENTINEL) == ["?a"]
    assert said(wanted, a="x") == ['has a = "x" (str, not true or false): be true']
    assert said(flag("a.b", False, default=False), a=5) == [
        "has a.b = 5 (int, not an object): be false"
    ]
    assert said(flag("a.b", False, default=False), a=SENTINEL) == ["?a.b"]


def test_numbers() -> None:
    least = {Environment.DEV: 0, Environment.PROD: 7}
    days = number("a", default=0, least=least, most=35, unit="days")
    assert [said(days, a=value) for value in (7, 35)] == [[], []]
    assert said(days, a=6) == ["has a = 6: be 7 to 35 days in prod"]
    assert said(days, a=36) == ["has a = 36: be 7 to 35 days in prod"]
    assert said(days, Environment.DEV, a=36) == ["has a = 36: be at most 35 days in dev"]
    assert said(days, Environment.DEV) == []
    assert said(number("a", default=0, least=1)) == ["has a = (not set): be at least 1"]
    assert said(number("a", default=0, least=1, most=90), a=91) == ["has a = 91: be 1 to 90"]


def test_texts() -> None:
    assert said(one_of("a", ("x", "y")), a="x") == []
    assert said(one_of("a", ("x", "y")), a="z") == ['has a = "z": be x or y']
    assert said(given("a"), a="x") == []
    assert said(given("a"), a=" ") == ['has a = " ": be set']


@pytest.mark.parametrize("value", [None, "", [], [None]])
def test_nothing_is_absent(value: object) -> None:
    assert said(absent("a", "not be"), a=value) == []


def test_what_must_be_absent_is_not_shown() -> None:
    check = absent("a", "not be")
    assert said(check, a="secret") == ["has a: not be"]
    assert said(check, a=["x"]) == ["has a: not be"]
    assert said(check, a=SENTINEL) == ["?a"]
    # A secret that cannot be read is there all the same.
    assert said(check, a=HIDDEN) == ["has a: not be"]
    assert said(absent("b", "not be"), a=HIDDEN, b=SENTINEL) == ["?b"]
    # What is hidden is a property of the resource, not one of that name inside of it.
    assert said(each("l", check), a=HIDDEN, l=[{"a": SENTINEL}]) == ["?l[0].a"]


def test_lists_have_so_many_different_entries() -> None:
    check = at_least("a", 2, "zones")
    for value in (["x", "y"], ["x", SENTINEL], [SENTINEL, SENTINEL], ["x", "y", "z"]):
        assert said(check, a=value) == []
    assert said(check, a=["x", "x"]) == ["has a = ['x', 'x']: name at least 2 zones"]
    assert said(check, a=[SENTINEL]) != []
    assert said(check) == ["has a = (not set): name at least 2 zones"]
    assert said(check, a=SENTINEL) == ["?a"]
    assert said(check, a="x") == ['has a = "x" (str, not a list): name at least 2 zones']
    nested = at_least("a.b", 2, "zones")
    assert said(nested, a=5) == ["has a.b = 5 (int, not an object): name at least 2 zones"]


def test_lists_contain_all_that_is_wanted() -> None:
    check = contains("a", ("x", "y"), "have both")
    assert said(check, a=["y", "x", "z"]) == []
    assert said(check, a=["x"]) == ["has a = ['x']: have both"]
    assert said(check, a=["x", "y", SENTINEL]) == []
    assert said(check, a=["x", SENTINEL]) == ["?a"]
    assert said(check, a=SENTINEL) == ["?a"]
    assert said(check, a="x") == ['has a = "x" (str, not a list): have both']
    assert said(contains("a.b", ("x",), "have x"), a=5) == [
        "has a.b = 5 (int, not an object): have x"
    ]


def test_each_entry_of_a_list() -> None:
    check = each("a", given("b"), at_least=1, limit="be a list")
    assert said(check, a=[{"b": "x"}, {"b": "y"}]) == []
    assert said(check, a=[{"b": "x"}, {}]) == ["has a[1].b = (not set): be set"]
    assert said(check, a=[SENTINEL, 5]) == ["?a[0]", "has a[1] = 5: be a list"]
    assert said(check, a=SENTINEL) == ["?a"]
    assert said(check, a=[]) == ["has a = []: be a list"]
    assert said(check, a="x") == ['has a = "x" (str, not a list): be a list']
    assert said(each("a", given("b"))) == []
    assert said(each("a.c", given("b")), a=5) == [
        "has a.c = 5 (int, not an object): be a list of objects"
    ]


def test_what_is_not_given_is_not_judged() -> None:
    check = if_given("a", given("a.b"))
    assert said(check) == []
    assert said(check, a={}) == ["has a.b = (not set): be set"]
    assert said(check, a={"b": "x"}) == []
