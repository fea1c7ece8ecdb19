"""Functions as `postgresql:*` resources: their bodies, arguments and who may call them."""

from __future__ import annotations

from typing import Any

import pytest

from policies.database.migrations import migrations
from policies.inventory import Resource
from tests.policies.database_doors import paths, pg, rules


def function(body: str, **other: Any) -> Resource:
    properties = {"name": "wipe", "schema": "s", "returns": "void", "body": body, **other}
    return pg("function", **properties)


DEFINER = "ALTER FUNCTION s.wipe{} SECURITY DEFINER SET search_path = s, pg_temp;"

FUNCTIONS = {
    "deletes": (function("BEGIN DELETE FROM s.t; END", language="plpgsql"), "deletes from s.t"),
    "language is PL/pgSQL": (function("BEGIN TRUNCATE s.t; END"), "empties s.t"),
    "SQL": (function("DELETE FROM s.t", language="SQL"), "deletes from s.t"),
    "enclosed": (function("AS $$\nBEGIN DELETE FROM s.t; END\n$$"), "deletes from s.t"),
    "named quotes": (function("as $x$BEGIN DELETE FROM s.t; END$x$"), "deletes from s.t"),
    "quotes and backslashes": (
        function("BEGIN PERFORM '\\', 'it''s'; DELETE FROM s.t; END"), "deletes from s.t",
    ),
    "dynamic": (
        function("BEGIN EXECUTE q; END", args=[{"name": "q", "type": "text"}]),
        "runs dynamic SQL (EXECUTE), so that it cannot be judged",
    ),
    "another language": (function("x", language="plperl"), "is written in plperl"),
    "unreadable": (function("BEGIN DELETE"), "has a body that cannot be parsed"),
}  # fmt: skip


@pytest.mark.parametrize("case", FUNCTIONS)
def test_bodies_of_functions_are_read(case: str) -> None:
    resource, found = FUNCTIONS[case]
    arguments = "(text)" if resource.get("args") else "()"
    # The provider has no search_path: another door may give one.
    text = "CREATE TABLE s.t (a int);" + DEFINER.format(arguments)
    assert any(found in one for one in paths(resource, migrations([("1.sql", text)], None)))
    assert paths(resource) == []


def test_a_function_that_only_reads_is_no_way() -> None:
    reads = function("BEGIN PERFORM count(*) FROM s.t; END")
    closed = pg("grant", role="public", schema="s", objectType="function", objects=["wipe"])
    text = "CREATE TABLE s.t (a int);" + DEFINER.format("()")
    assert paths(reads, migrations([("1.sql", text)], None)) == []
    assert rules(reads, closed, migrations([("1.sql", text)], None)) == set()
    opened = migrations([("1.sql", text)], None)
    assert rules(reads, opened) == {"db-definer-functions-closed"}
    kept = pg("grant", "b", role="public", schema="s", objectType="function", privileges=[])
    assert rules(reads, kept, opened) == set()
    other = pg("grant", "c", role="public", schema="s", objectType="function", objects=["other"])
    assert rules(reads, other, opened) == {"db-definer-functions-closed"}


def test_default_privileges_close_functions() -> None:
    text = "CREATE TABLE s.t (a int);" + DEFINER.format("()")
    closed = pg(
        "defaults", role="public", owner="(the provider's user)", objectType="function",
        privileges=[],
    )  # fmt: skip
    opened = migrations([("1.sql", text)], None)
    assert rules(closed, function("BEGIN NULL; END"), opened) == set()


@pytest.mark.parametrize(
    "broken",
    [
        function("x", args=[5]),
        function("x", args=[{"name": "a"}]),
        function("x", args=[{"type": "int); DROP TABLE t; --"}]),
        function("x", returns="int LANGUAGE sql AS 'x'; SELECT 1; --"),
        pg("function", body="x", returns=5),
        pg("function", name="f", returns="trigger"),
    ],
    ids=range(6),
)
def test_what_is_no_function_cannot_be_judged(broken: Resource) -> None:
    properties = {**broken.properties, "securityDefiner": True}
    found = paths(Resource.of(type=broken.type, name="f", properties=properties))
    assert any("so that it cannot be judged" in one for one in found), found


def test_arguments_of_functions_are_read_as_the_provider_writes_them() -> None:
    definer = {"securityDefiner": True, "body": "BEGIN NULL; END"}

    def told(*arguments: Any) -> list[str]:
        return [one.partition("which ")[2] for one in paths(function(**definer, args=[*arguments]))]

    fine = ["has no search_path of its own, so that its caller decides what it runs"]
    assert told({"name": "order", "type": "int"}) == fine
    assert told({"type": "int"}, {"mode": "IN", "name": "x", "type": "text"}) == fine
    doubt = "cannot be read: an argument has no type, so that it cannot be judged"
    assert told({"name": "a"})[1] == doubt
    assert told({"name": 5, "type": "int"})[1] == doubt
    assert told({"name": "a", "type": ["int"]})[1] == doubt
    assert told("int")[1] == "cannot be read: an argument is no object, so that it cannot be judged"
