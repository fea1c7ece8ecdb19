"""The role manifest as the model has it: objects, columns, defaults, memberships."""

from __future__ import annotations

from typing import Any

from policies.database import manifest
from policies.database.model import Database, Kind, Place
from policies.values import UNKNOWN


def filled(*grants: dict[str, Any], **role: Any) -> Database:
    database = Database()
    roles: list[dict[str, Any]] = [
        {"name": "w_owner", "kind": "owner", "login": False},
        {"name": "w_app", "kind": "app", "grants": [*grants], **role},
    ]
    manifest.fill(database, {"schema": "w", "roles": roles}, Place("urn"))
    return database


def held(database: Database, role: str = "w_app") -> set[str]:
    return {
        f"{one.privilege} {one.object}{' +' if one.grantable else ''}{' ALL' if one.as_all else ''}"
        for one in database.grants.values()
        if one.role == role
    }


def grant(*privileges: str, **other: Any) -> dict[str, Any]:
    return {"objects": ["t"], "privileges": [*privileges], **other}


def test_objects_have_their_kind_and_schema() -> None:
    assert held(filled(grant("SELECT"))) == {"SELECT table w.t"}
    assert held(filled(grant("SELECT", object_type="Views"))) == {"SELECT table w.t"}
    assert held(filled(grant("SELECT", schema="x"))) == {"SELECT table x.t"}
    assert held(filled(grant("USAGE", object_type="schema"))) == {"USAGE schema t"}
    assert held(filled(grant("USAGE", object_type="sequences"))) == {"USAGE sequence w.t"}
    assert held(filled(grant("EXECUTE", object_type="function"))) == {"EXECUTE other t"}
    assert held(filled(grant("SELECT", with_grant_option=True))) == {"SELECT table w.t +"}
    assert held(filled(grant("SELECT", with_grant_option="yes"))) == {"SELECT table w.t"}


def test_all_is_every_privilege() -> None:
    every = {"USAGE schema t ALL", "CREATE schema t ALL"}
    for text in ("ALL", "all privileges"):
        assert held(filled(grant(text, object_type="schema"))) == every
    assert held(filled(grant("USAGE", object_type="schema"))) == {"USAGE schema t"}


def test_relations_are_the_owners() -> None:
    database = filled(grant("SELECT"), grant("USAGE", object_type="schema"), grant("INSERT"))
    assert {name: one.owner for name, one in database.relations.items()} == {"w.t": "w_owner"}
    assert "DELETE table w.t +" in held(database, "w_owner")
    assert "CREATE schema w +" in held(database, "w_owner")
    assert [one.object.kind for one in database.relations.values()] == [Kind.TABLE]
    assert set(database.owners.values()) == {"w_owner"}


def test_columns_are_kept_apart() -> None:
    for one in (grant("UPDATE (a, B)"), grant("UPDATE", columns=["a", "b"])):
        database = filled(one)
        assert held(database) == set()
        assert {key[2:5:2] for key in database.column_grants} == {("UPDATE", "a"), ("UPDATE", "b")}
    assert filled(grant("UPDATE")).column_grants == {}


def test_every_object_is_also_every_later_one() -> None:
    assert filled(grant("SELECT")).defaults == {}
    assert filled(grant("USAGE", object_type="schema", objects=["*"])).defaults == {}
    (default,) = filled(grant("SELECT", objects=["*"])).defaults.values()
    assert (default.owner, default.schema, default.role) == ("w_owner", "w", "w_app")
    assert (default.privilege, default.kind, default.as_all) == ("SELECT", Kind.TABLE, False)
    all_of = filled(grant("ALL", objects=["*"], object_type="sequence")).defaults.values()
    assert {one.privilege for one in all_of} == {"SELECT", "UPDATE", "USAGE"}
    assert all(one.as_all for one in all_of)


def test_roles_are_what_their_fields_say() -> None:
    database = filled(member_of=["g"], members=["m"], login=True, superuser=True)
    assert database.roles["w_app"].login
    assert not database.roles["w_owner"].login
    assert database.roles["w_app"].attributes == {"SUPERUSER"}
    assert {(one.group, one.member) for one in database.memberships.values()} == {
        ("g", "w_app"),
        ("w_app", "m"),
    }
    assert manifest.owner_of({"roles": [{"kind": "app", "name": "x"}]}) == ""
    assert (
        manifest.owner_of({"roles": ["x", {"kind": "owner"}, {"kind": "owner", "name": "o"}]})
        == "o"
    )
    assert manifest.schema_of({}) == "public"
    assert manifest.schema_of({"schema": 5}) == "public"


def test_without_an_owner_nobody_owns_the_schema() -> None:
    database = Database()
    manifest.fill(database, {"roles": [{"name": "a", "kind": "app"}]}, Place("urn"))
    assert database.owners == {}
    assert database.roles["a"].kind == "app"
    assert database.manifest


def test_without_an_owner_a_role_owns_what_it_uses() -> None:
    def owner(*more: dict[str, Any]) -> str:
        roles = [{"name": "a", "kind": "app", "grants": [grant("SELECT")]}, *more]
        database = Database()
        manifest.fill(database, {"schema": "w", "roles": roles}, Place("urn"))
        return database.relations["w.t"].owner

    assert owner() == "a"
    # It may be a role whose name is not known yet: nobody is guessed.
    assert owner({"name": UNKNOWN, "kind": "owner"}) == ""
