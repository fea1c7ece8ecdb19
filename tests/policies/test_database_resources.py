"""`postgresql:*` resources: what they let an application delete, and their other faults."""

from __future__ import annotations

from typing import Any

import pytest

from policies.evaluation import Kind
from policies.inventory import Resource
from policies.rules import Phase
from tests.policies.database_doors import ROLE, TYPES, grant, judged, paths, pg, rules
from tests.policies.good_stack import UNKNOWN_STRING


def test_a_sound_application_passes() -> None:
    sound = [
        pg("role", **ROLE),
        pg(
            "schema",
            name="s",
            policies=[{"usage": True, "role": "shop"}],
        ),
        grant("SELECT", "INSERT", "UPDATE"),
        grant("UPDATE", objectType="column", columns=["a"]),
        grant("ALL", objectType="function", role="cleaner"),
        pg("defaults", role="shop", owner="o", objectType="table", privileges=["SELECT"]),
        pg("extension", name="pgcrypto", schema="s"),
    ]
    thresholds = {"db-app-cannot-delete": {"deletingRoles": ["cleaner"]}}
    assert [v.finding for v in judged(*sound, thresholds=thresholds)] == []


REACHED = {
    "grant": ([grant("SELECT", "DELETE")], "shop → is granted DELETE on s.t"),
    "lower case": ([grant("delete")], "is granted DELETE"),
    "all": ([grant("ALL")], "is granted TRUNCATE"),
    "all privileges": ([grant("all  privileges")], "is granted DELETE"),
    "all tables": ([grant("DELETE", objects=[])], "is granted DELETE on s.*"),
    "unreadable privilege": ([grant(5)], "is granted DELETE"),
    "unknown kind of object": ([grant("DELETE", objectType="tbl")], "is granted DELETE"),
    "public": ([grant("DELETE", role="public")], "every role → is granted DELETE"),
    "option": ([grant("TRUNCATE", withGrantOption=True)], "and may pass it on"),
    "defaults": (
        [pg("defaults", role="shop", owner="o", objectType="table", privileges=["DELETE"])],
        "is granted DELETE on each table that o creates",
    ),
    "older defaults": (
        [pg("olddefaults", role="shop", owner="o", objectType="table", privileges=["ALL"])],
        "is granted TRUNCATE on each table that o creates",
    ),
    "role of roles": (
        [pg("role", **ROLE, roles=["pg_write_all_data"])],
        "shop → is a member of pg_write_all_data → pg_write_all_data may DELETE",
    ),
    "grant of a role": (
        [
            pg("role", "o", name="o"),
            pg("schema", name="s", owner="o"),
            pg("grantRole", role="shop", grantRole="o"),
        ],
        "shop → is a member of o → owns schema s",
    ),
    "grant of an unknown role": (
        [pg("grantRole", role="shop", grantRole="who")],
        "who is not defined here, so that it cannot be judged",
    ),
    "superuser": ([pg("role", **ROLE, superuser=True)], "shop → is a superuser"),
    "schema": ([pg("schema", name="s", owner="shop")], "shop → owns schema s"),
    "database": ([pg("database", name="d", owner="shop")], "shop → owns database d"),
    "function": (
        [pg("function", name="f", schema="s", securityDefiner=True, body="x")],
        "every role → may EXECUTE s.f() (SECURITY DEFINER of (the provider's user))",
    ),
}


@pytest.mark.parametrize("case", REACHED)
def test_ways_to_a_deletion_are_refused_and_written_out(case: str) -> None:
    resources, path = REACHED[case]
    found = paths(*resources)
    assert any(path in one for one in found), found


@pytest.mark.parametrize(
    ("rule", "resource"),
    [
        ("db-no-elevated-roles", pg("role", **ROLE, createRole=True)),
        ("db-no-elevated-roles", pg("role", **ROLE, createDatabase="true")),
        ("db-no-elevated-roles", pg("role", **ROLE, replication=5)),
        ("db-no-elevated-roles", pg("role", **ROLE, bypassRowLevelSecurity=True)),
        ("db-no-elevated-roles", pg("role", **ROLE, roles=["rds_superuser"])),
        ("db-no-public-grants", grant("SELECT", role="public")),
        ("db-no-public-grants", grant("SELECT", role="")),
        ("db-no-public-grants", pg("schema", name="s", policies=[{"usage": True}])),
        ("db-no-public-grants", pg("schema", name="s", policies=[{"create": True, "role": "x"}])),
        ("db-no-grant-options", grant("SELECT", withGrantOption=True)),
        ("db-no-grant-options", pg("grantRole", role="a", grantRole="b", withAdminOption=True)),
        ("db-grants-named", grant("ALL", objectType="sequence")),
        ("db-login-role-limits", pg("role", **{**ROLE, "connectionLimit": -1})),
        ("db-login-role-limits", pg("role", **{**ROLE, "connectionLimit": None})),
        ("db-login-role-limits", pg("role", **{**ROLE, "validUntil": "infinity"})),
        ("db-login-role-limits", pg("role", **{**ROLE, "statementTimeout": 0})),
        ("db-login-role-limits", pg("role", **{**ROLE, "statementTimeout": "soon"})),
        ("db-login-role-limits", pg("role", **ROLE, password="hunter2")),
        ("db-definer-functions-closed", pg("function", name="f", securityDefiner=True)),
        ("db-extensions-allowed", pg("extension", name="dblink", schema="s")),
        ("db-extensions-allowed", pg("extension", name="pgcrypto")),
        ("db-audit-append-only", grant("UPDATE", objects=["audit"])),
    ],
)
def test_other_faults_are_refused_by_their_rule(rule: str, resource: Resource) -> None:
    found = [v for v in judged(resource) if v.rule.id == rule and v.kind is Kind.VIOLATION]
    assert found
    assert all(v.blocks and v.urn == resource.urn for v in found)


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        ("role", {**ROLE, "superuser": UNKNOWN_STRING}),
        ("grant", {"role": UNKNOWN_STRING, "privileges": ["SELECT"], "objectType": "table"}),
        ("grant", {"role": "shop", "privileges": UNKNOWN_STRING, "objectType": "table"}),
        ("grantRole", {"role": "shop", "grantRole": UNKNOWN_STRING}),
        ("schema", {"name": "s", "owner": UNKNOWN_STRING}),
        ("function", {"name": "f", "securityDefiner": UNKNOWN_STRING}),
        ("grant", {"role": UNKNOWN_STRING, "privileges": ["DELETE"], "objectType": "table"}),
        ("grant", {"role": "shop", "privileges": ["ALL"], "objectType": UNKNOWN_STRING}),
        ("defaults", {"role": UNKNOWN_STRING, "privileges": ["ALL"], "objectType": "table"}),
        ("schema", {"name": "s", "policies": [{"role": UNKNOWN_STRING, "usage": True}]}),
        ("extension", {"name": UNKNOWN_STRING, "schema": "extensions"}),
        ("extension", {"name": "plperlu", "schema": UNKNOWN_STRING}),
        *(
            ("role", {**ROLE, key: UNKNOWN_STRING})
            for key in ("connectionLimit", "validUntil", "statementTimeout")
        ),
        ("role", {"name": "shop", "login": UNKNOWN_STRING}),
    ],
)
def test_unknown_is_noted_at_preview_and_refused_at_apply(
    kind: str, properties: dict[str, Any]
) -> None:
    notes = judged(pg(kind, **properties))
    ids = {v.rule.id for v in notes if v.kind is Kind.NOT_VERIFIED}
    assert {"db-app-cannot-delete", "db-no-public-grants", "db-login-role-limits"} <= ids
    assert rules(pg(kind, **properties)) == set()
    assert ids <= rules(pg(kind, **properties), phase=Phase.APPLY)


@pytest.mark.parametrize(
    ("unknown", "known", "rule"),
    [
        (grant("SELECT", role=UNKNOWN_STRING), grant("SELECT", role="public"), "public"),
        (grant("SELECT", role=UNKNOWN_STRING), grant("DELETE"), "delete"),
        (
            pg("schema", name="s", policies=[{"role": UNKNOWN_STRING, "usage": True}]),
            pg("schema", name="s", policies=[{"role": "", "usage": True}]),
            "public",
        ),
    ],
)
def test_what_is_noted_at_preview_is_judged_with_its_value(
    unknown: Resource, known: Resource, rule: str
) -> None:
    wanted = {"public": "db-no-public-grants", "delete": "db-app-cannot-delete"}[rule]
    assert rules(unknown) == set()
    assert wanted in rules(known, phase=Phase.APPLY)


WRONG: list[Any] = [
    -1,
    3.5,
    "x",
    "",
    [],
    [None],
    [[]],
    {},
    {"a": 1},
    True,
    "\x00\ud800",
    "[" * 10_000,
]


@pytest.mark.parametrize("kind", TYPES)
def test_wrong_values_never_crash_a_rule(kind: str) -> None:
    from policies.database.resources import _READ

    for key in _READ[pg(kind).type]:
        for value in WRONG:
            for verdict in judged(pg(kind, **{key: value})):
                assert "the rule itself failed" not in verdict.finding, (key, value)


def test_owners_that_nobody_logs_in_as_may_own() -> None:
    owner, app = pg("role", "o", name="shop"), pg("role", "a", **{**ROLE, "name": "web"})
    schema = pg("schema", name="s", owner="shop")
    database = pg("database", name="d", owner="shop")
    assert paths(owner, app, schema, database) == []
    member = pg("grantRole", role="web", grantRole="shop")
    assert len(paths(owner, app, schema, database, member)) == 2
    assert paths(schema) == ["shop → owns schema s: an owner can drop all that is in it"]


def test_columns_are_judged() -> None:
    columns = grant("UPDATE", objects=["audit_log"], columns=["a"])
    assert rules(columns) == {"db-audit-append-only", "db-audit-guarded"}
    assert "db-no-public-grants" in rules(grant("SELECT", role="public", columns=["a"]))
    assert rules(grant("UPDATE", columns=["a"])) == set()
