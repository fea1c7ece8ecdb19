"""The doors to the database together: manifests, resources, migrations, and the pack's settings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policies.database.migrations import migrations
from policies.inventory import Resource
from tests.policies.good_stack import INVOCATION
from tests.policies.one_rule import NOTE, UNKNOWN, kinds, made, verdicts

DELETE, SCHEMA = "db-app-cannot-delete", "w"
TABLE = "CREATE TABLE t (a int);\n"


def manifest(*roles: dict[str, Any]) -> dict[str, Any]:
    owner = {"name": "w_owner", "kind": "owner", "login": False}
    return {"schema": SCHEMA, "roles": [owner, *roles]}


def role(name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "kind": kind, "login": True, "connection_limit": 5, **more}


def invocation(*roles: dict[str, Any], name: str = "roles") -> Resource:
    return made(INVOCATION, name, input=json.dumps({"manifest": manifest(*roles)}))


def ways(*resources: Resource, **context: Any) -> list[str]:
    """The ways to a deletion that are told, by whichever door's rule."""
    told = verdicts(DELETE, *resources, **context)
    return [
        one.finding.partition(": ")[2].partition("; it must")[0].partition(", so that")[0]
        for one in told
    ]


DELETES = {"object_type": "table", "objects": ["t"], "privileges": ["DELETE"]}


def test_what_a_manifest_alone_tells_is_not_told_again() -> None:
    bad = invocation(role("w_app", "app", grants=[DELETES]))
    assert len(ways(bad)) == 1
    # What another door adds is, of another role and of the same.
    more = migrations([("1.sql", TABLE + "GRANT TRUNCATE ON t TO w_app, w_reader;")], None)
    assert sorted(one.partition(" ")[0] for one in ways(bad, more)) == [
        "w_app",
        "w_app",
        "w_reader",
    ]


def test_migrations_go_by_the_kinds_of_their_manifest() -> None:
    text = TABLE + "GRANT DELETE ON t TO w_cleaner;"
    roles = role("w_cleaner", "retention")
    assert ways(migrations([("1.sql", text)], manifest(roles))) == []
    assert ways(migrations([("1.sql", text)], None)) == [
        "w_cleaner → is granted DELETE on public.t"
    ]
    # Or by the one that the stack applies.
    assert ways(invocation(roles), migrations([("1.sql", text)], None)) == []


def test_a_migration_with_a_manifest_begins_as_its_owner() -> None:
    files = [("1.sql", "SET ROLE w_app;"), ("2.sql", TABLE)]
    app = role("w_app", "app")
    assert ways(migrations(files, manifest(app))) == []
    assert ways(invocation(app), migrations(files, None)) == []
    alone = [("1.sql", "CREATE ROLE w_app LOGIN;\nSET ROLE w_app;"), ("2.sql", TABLE)]
    (way,) = ways(migrations(alone, None))
    assert way.startswith("w_app → owns public.t")


@pytest.mark.parametrize(
    ("value", "allowed"),
    [(["cleaner"], True), ([5, "cleaner"], True), (["other"], False), ("cleaner", False)],
)
def test_the_pack_s_settings_name_who_may_delete(value: Any, allowed: bool) -> None:
    one = migrations([("1.sql", TABLE + "GRANT DELETE ON t TO cleaner;")], None)
    thresholds = {DELETE: {"deletingRoles": value}}
    assert bool(ways(one, thresholds=thresholds)) != allowed


def test_what_undoes_a_migration_gives_no_rights() -> None:
    up, down = ("1.up.sql", TABLE), "DROP TABLE t;"
    assert ways(migrations([up, ("1.down.sql", down)], None)) == []
    for given, expected in (("DELETE", True), ("SELECT", False)):
        back = ("1.down.sql", f"GRANT {given} ON t TO w_app;")
        assert bool(ways(migrations([up, back], None))) == expected
    both = [("1.up.sql", f"{TABLE}GRANT DELETE ON t TO w_app;"), ("1.down.sql", down)]
    assert len(ways(migrations(both, None))) == 1
    # What else goes back is no finding of the way forward.
    assert kinds("db-migrations-keep-data", migrations([up, ("1.down.sql", down)], None)) == []
    extension = ("1.down.sql", "CREATE EXTENSION dblink;")
    assert kinds("db-extensions-allowed", migrations([up, extension], None)) == []


@pytest.mark.parametrize("rule", [DELETE, "db-grants-named", "db-extensions-allowed"])
def test_an_unknown_value_is_noted_for_every_rule(rule: str) -> None:
    grant = {"objectType": "table", "schema": "s", "objects": ["t"], "privileges": ["SELECT"]}
    assert kinds(rule, made("postgresql:index/grant:Grant", "g", role=UNKNOWN, **grant)) == [NOTE]
    assert kinds(rule, made("postgresql:index/grant:Grant", "g", role="w_app", **grant)) == []
