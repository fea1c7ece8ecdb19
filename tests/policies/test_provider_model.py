"""`postgresql:*` resources as the model has them: objects, owners, options, defaults."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from policies.database import resources
from policies.database.model import PUBLIC, Database, Kind, Object, Place, Relation
from policies.inventory import Resource
from tests.policies.database_doors import ROLE, pg
from tests.policies.good_stack import UNKNOWN_STRING

USER = "(the provider's user)"
NOTHING = set[str]()


def filled(*given: Resource, database: Database | None = None) -> Database:
    database = database or Database()
    assert list(resources.fill(database, given)) == []
    return database


def held(database: Database, role: str = "shop") -> set[str]:
    return {
        f"{one.privilege} {one.object}{' +' if one.grantable else ''}{' ALL' if one.as_all else ''}"
        for one in database.grants.values()
        if one.role == role
    }


def grant(*privileges: Any, **other: Any) -> Resource:
    base = {"role": "shop", "schema": "s", "objectType": "table", "objects": ["t"]}
    return pg("grant", privileges=[*privileges], **{**base, **other})


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("table", "table s.t"),
        ("TABLE", "table s.t"),
        ("odd", "table s.t"),
        ("", "table s.t"),
        ("sequence", "sequence s.t"),
        ("schema", "schema s"),
        ("database", "database d"),
        ("type", "other s.t"),
        ("foreign_server", "other s.t"),
        ("foreign_data_wrapper", "other s.t"),
        ("function", "function s.t"),
        ("procedure", "function s.t"),
        ("routine", "function s.t"),
    ],
)
def test_objects_have_their_kind(kind: str, target: str) -> None:
    assert held(filled(grant("X", objectType=kind, database="d"))) == {f"X {target}"}


def test_objects_have_their_schema() -> None:
    assert held(filled(grant("SELECT", schema=None))) == {"SELECT table public.t"}
    assert held(filled(grant("SELECT", objects=[]))) == {"SELECT table s.*"}
    assert held(filled(grant("SELECT", objects=["a", "b"]))) == {
        "SELECT table s.a",
        "SELECT table s.b",
    }
    assert held(filled(grant("EXECUTE", objectType="function", objects=[]))) == {
        "EXECUTE function s.*"
    }
    assert held(filled(grant("EXECUTE", objectType="function", schema=None))) == {
        "EXECUTE function public.t"
    }


@pytest.mark.parametrize("role", ["public", "PUBLIC", "", None, 5])
def test_a_role_that_cannot_be_read_is_everybody(role: Any) -> None:
    assert held(filled(grant("SELECT", role=role)), PUBLIC) == {"SELECT table s.t"}
    policies = [{"usage": True, "role": role}]
    assert held(filled(pg("schema", name="s", policies=policies)), PUBLIC) == {"USAGE schema s"}


def test_privileges_are_keywords() -> None:
    every = {"USAGE sequence s.t ALL", "SELECT sequence s.t ALL", "UPDATE sequence s.t ALL"}
    for one in ("ALL", "all  privileges", 5, None):
        assert held(filled(grant("usage", one, objectType="sequence"))) == every
    assert held(filled(grant("usage", objectType="sequence"))) == {"USAGE sequence s.t"}
    assert held(filled(grant(objectType="sequence"))) == NOTHING
    unknown = list(resources.fill(database := Database(), [grant("SELECT", UNKNOWN_STRING)]))
    assert [note.needs for note in unknown] == ["privileges"]
    assert held(database) == {"SELECT table s.t"}


def test_options() -> None:
    for value, passed_on in ((True, " +"), ("true", " +"), (5, " +"), (False, ""), (None, "")):
        database = filled(grant("SELECT", withGrantOption=value))
        assert held(database) == {f"SELECT table s.t{passed_on}"}
        defaults = filled(
            pg("defaults", role="shop", owner="o", objectType="table", privileges=["SELECT"],
               withGrantOption=value)
        )  # fmt: skip
        assert [one.grantable for one in defaults.defaults.values()] == [bool(passed_on)]
        member = filled(pg("grantRole", role="a", grantRole="b", withAdminOption=value))
        assert [one.admin for one in member.memberships.values()] == [bool(passed_on)]
    unknown = Database()
    given = [
        grant("SELECT", withGrantOption=UNKNOWN_STRING),
        pg("grantRole", role="a", grantRole="b", withAdminOption=UNKNOWN_STRING),
        pg("defaults", role="shop", owner="o", objectType="table", privileges=["SELECT"],
           withGrantOption=UNKNOWN_STRING),
        pg("role", name="r", superuser=UNKNOWN_STRING),
    ]  # fmt: skip
    assert len(list(resources.fill(unknown, given))) == 4
    assert held(unknown) == {"SELECT table s.t"}
    assert not any(one.admin for one in unknown.memberships.values())
    assert not any(one.grantable for one in unknown.defaults.values())
    assert unknown.roles["r"].attributes == set()


def test_columns_are_kept_apart() -> None:
    database = filled(grant("UPDATE", columns=["a"]))
    assert held(database) == NOTHING
    assert [key[-1] for key in database.column_grants] == ["a"]


def test_what_is_granted_belongs_to_whoever_owns_it() -> None:
    database = filled(grant("SELECT"), grant("INSERT"))
    assert database.relations["s.t"].owner == USER
    assert "DELETE table s.t +" in held(database, USER)
    assert filled(grant("USAGE", objectType="schema")).relations == {}
    assert set(filled(grant("USAGE", objectType="sequence")).relations) == {"s.t"}
    owned = Database()
    target = Object(Kind.TABLE, "s.t")
    owned.relations["s.t"] = Relation(target, "owner", Place("before"))
    filled(grant("SELECT"), database=owned)
    assert owned.relations["s.t"].via == Place("before")
    assert {one.grantor for one in owned.grants.values()} == {"owner"}
    # It stands already, so that it gets no owner's privileges a second time.
    assert held(owned, "owner") == NOTHING


def test_functions_are_named_with_and_without_arguments() -> None:
    listed = [
        pg("function", "a", schema="s", name="f", body="BEGIN NULL; END"),
        pg("function", "b", schema="s", name="f", body="BEGIN NULL; END",
           args=[{"type": "integer"}]),
        pg("function", "c", schema="s", name="g", body="BEGIN NULL; END"),
        pg("function", "d", schema="x", name="f", body="BEGIN NULL; END"),
    ]  # fmt: skip

    def granted(**other: Any) -> int:
        return len(held(filled(*listed, grant("EXECUTE", objectType="function", **other))))

    assert granted(objects=["f"]) == 2
    assert granted(objects=["f(integer)"]) == 2
    assert granted(objects=["g"]) == 1
    assert granted(objects=[]) == 3
    assert granted(objects=["f"], schema="x") == 1
    assert granted(objects=["f", "g"]) == 3


def test_a_grant_of_a_function_replaces_what_everybody_has_by_itself() -> None:
    function = pg("function", schema="s", name="t", body="BEGIN NULL; END")
    everybody = "EXECUTE function s.t()"
    assert held(filled(function), PUBLIC) == {everybody}
    closed = grant(role="public", objectType="function")
    assert held(filled(function, closed), PUBLIC) == NOTHING
    for other in (grant("EXECUTE", objectType="function"), grant(role="public")):
        assert held(filled(function, other), PUBLIC) == {everybody}


def test_defaults() -> None:
    def defaults(**other: Any) -> Database:
        base = {"role": "public", "owner": "o", "objectType": "function", "privileges": []}
        return filled(pg("defaults", **{**base, **other}))

    withheld = {("o", Kind.FUNCTION, PUBLIC, "EXECUTE")}
    assert defaults().withheld == withheld
    for other in ({"role": "shop"}, {"objectType": "table"}, {"schema": "s"}):
        assert defaults(**other).withheld == set()
    (one,) = defaults(privileges=["EXECUTE"], schema="s", role="shop").defaults.values()
    assert (one.owner, one.schema, one.kind, one.role) == ("o", "s", Kind.FUNCTION, "shop")
    assert (one.privilege, one.as_all) == ("EXECUTE", False)
    assert all(one.as_all for one in defaults(privileges=["ALL"]).defaults.values())


def test_roles() -> None:
    role = filled(pg("role", **ROLE)).roles["shop"]
    assert role.login
    assert role.inherit
    assert role.attributes == set()
    role = filled(pg("role", "label", login=False, inherit=False, createRole="true")).roles["label"]
    assert not role.login
    assert not role.inherit
    assert role.attributes == {"CREATEROLE"}
    assert not filled(pg("role", name="a")).roles["a"].login
    assert filled(pg("role", name="a", login="odd")).roles["a"].login
    # One more door does not take the login away that another gave.
    twice = filled(pg("role", "x", **ROLE), pg("role", "y", name="shop", login=False))
    assert twice.roles["shop"].login


def test_memberships() -> None:
    database = filled(
        pg("role", name="m", inherit=False, roles=["g", 5]),
        pg("grantRole", role="m", grantRole="h"),
        pg("grantRole", "n", role="n", grantRole="h"),
    )
    found = {(one.group, one.member, one.inherit) for one in database.memberships.values()}
    assert found == {("g", "m", False), ("h", "m", False), ("h", "n", True)}
    for incomplete in ({"role": "m"}, {"grantRole": "g"}, {"role": "", "grantRole": "g"}):
        assert filled(pg("grantRole", **incomplete)).memberships == {}


def test_schemas_and_databases() -> None:
    database = filled(pg("schema", "s"), pg("schema", "x", name="t", owner="o"))
    assert {str(key): one for key, one in database.owners.items()} == {
        "schema s": USER,
        "schema t": "o",
    }
    assert "CREATE schema t +" in held(database, "o")
    database = filled(pg("database", "d"), pg("database", "x", name="e", owner="o"))
    assert {str(key): one for key, one in database.owners.items()} == {
        "database d": USER,
        "database e": "o",
    }


def test_policies_of_schemas() -> None:
    def policies(*given: Any) -> set[str]:
        return held(filled(pg("schema", name="s", policies=[*given])), "r")

    assert policies({"role": "r", "usage": True}) == {"USAGE schema s"}
    assert policies({"role": "r", "create": True, "usage": False}) == {"CREATE schema s"}
    assert policies({"role": "r", "usageWithGrant": True}) == {"USAGE schema s +"}
    assert policies({"role": "r", "create": "yes"}, "x") == NOTHING
    assert policies({"role": "r"}) == NOTHING


def test_extensions() -> None:
    database = filled(pg("extension", "pgcrypto"), pg("extension", "x", name="a", schema="s"))
    assert {name: schema for name, (schema, _) in database.extensions.items()} == {
        "pgcrypto": "public",
        "a": "s",
    }


def test_functions_without_a_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_package(_name: str) -> None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", no_package)
    body = "BEGIN NULL; END"
    database = filled(
        pg("function", "f", body=body, securityDefiner=True),
        pg("function", "g", schema="s", name="h", body=body),
    )
    first, second = database.functions["public.f(f)"], database.functions["s.h(g)"]
    assert (first.security_definer, second.security_definer) == (True, False)
    reason = "has a body that nobody can read without the package pglast"
    assert first.body.undecided == second.body.undecided == (reason,)
    assert held(database, PUBLIC) == {"EXECUTE function public.f(f)", "EXECUTE function s.h(g)"}


def limits(**changes: Any) -> list[str]:
    given = pg("role", "label", **{**ROLE, **changes})
    return [one.found for one in resources.notes([given])]


def test_limits_of_login_roles() -> None:
    assert limits() == []
    for value in (None, -1, "x"):
        assert limits(connectionLimit=value) == ["has no connectionLimit for shop"]
    for value in (0, 5, UNKNOWN_STRING):
        assert limits(connectionLimit=value) == []
    for value in (None, "infinity", ""):
        assert limits(validUntil=value) == ["lets shop log in for ever"]
    for value in (None, 0, "x"):
        assert limits(statementTimeout=value) == ["has no statementTimeout for shop"]
    assert limits(statementTimeout=1) == []
    assert limits(password="x", name=None) == ["has a password for label"]
    hidden = {
        "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
        "ciphertext": "AAAA",
    }
    assert limits(password=hidden) == []
    everything = {"connectionLimit": None, "validUntil": None, "statementTimeout": None}
    assert len(limits(**everything, login="odd")) == 3
    for login in (False, None, "false", UNKNOWN_STRING):
        assert limits(**everything, login=login) == []
    assert list(resources.notes([grant("SELECT", login=True)])) == []
