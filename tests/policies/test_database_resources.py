"""`postgresql:*` resources: what they let an application delete, beside manifests and SQL."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from policies.database.migrations import migrations
from policies.evaluation import Kind, Verdict, evaluate
from policies.inventory import Resource, Stack
from policies.rules import Context, Phase
from tests.policies.good_stack import INVOCATION, MANIFEST, UNKNOWN_STRING

ROLE = {
    "name": "shop",
    "login": True,
    "connectionLimit": 20,
    "validUntil": "2027-01-01",
    "statementTimeout": 30_000,
}
TYPES = {
    "role": "role:Role",
    "grant": "grant:Grant",
    "grantRole": "grantRole:GrantRole",
    "defaults": "defaultPrivileges:DefaultPrivileges",
    "olddefaults": "defaultPrivileg:DefaultPrivileg",
    "schema": "schema:Schema",
    "database": "database:Database",
    "function": "function:Function",
    "extension": "extension:Extension",
}


def pg(kind: str, label: str = "", /, **properties: Any) -> Resource:
    return Resource.of(
        type=f"postgresql:index/{TYPES[kind]}", name=label or kind, properties=properties
    )


def grant(*privileges: Any, role: str = "shop", **other: Any) -> Resource:
    properties = {"objectType": "table", "schema": "s", "objects": ["t"], **other}
    return pg("grant", role=role, privileges=list(privileges), **properties)


def judged(*resources: Resource, **context: Any) -> list[Verdict]:
    return evaluate(Stack(resources), Context(**context))


def rules(*resources: Resource, **context: Any) -> set[str]:
    return {v.rule.id for v in judged(*resources, **context) if v.kind is Kind.VIOLATION}


def paths(*resources: Resource) -> list[str]:
    return [
        v.finding.partition("delete: ")[2].partition("; it must")[0]
        for v in judged(*resources)
        if v.rule.id == "db-app-cannot-delete" and v.kind is Kind.VIOLATION
    ]


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


def manifest_of(**app: Any) -> Resource:
    changed = copy.deepcopy(MANIFEST)
    changed["roles"][2].update(app)  # type: ignore[index]
    payload = json.dumps({"manifest": changed})
    return Resource.of(type=INVOCATION, name="roles", properties={"input": payload})


def test_doors_add_up_to_one_model() -> None:
    """Each alone is sound; together they let the application delete."""
    manifest, group = manifest_of(), pg("role", "group", name="np_group")
    member = pg("grantRole", role="np_app", grantRole="np_group")
    delete = migrations(
        [("1.sql", "CREATE TABLE t (a int);\nGRANT DELETE ON t TO np_group;")], None
    )
    assert paths(manifest, group, member) == []
    found = paths(manifest, group, member, delete)
    text = "np_app → is a member of np_group → is granted DELETE on node_pass.t"
    assert text in found
    # By the kinds of the manifest, which the resources know nothing of.
    assert paths(manifest, grant("DELETE", role="np_migrator")) == []
    assert paths(manifest, grant("DELETE", role="np_app")) != []


def test_what_a_manifest_alone_does_is_told_once() -> None:
    grants = [{"object_type": "table", "objects": ["t"], "privileges": ["DELETE"]}]
    assert len(paths(manifest_of(grants=grants))) == 1


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


@pytest.mark.parametrize(
    ("fields", "limited"),
    [
        ({"connection_limit": 5}, True),
        ({"connection_limit": 5, "columns": []}, True),
        ({"connection_limit": 0}, False),
        ({"connection_limit": -1}, False),
        ({"connection_limit": None}, False),
        ({"connection_limit": "x"}, False),
    ],
)
def test_login_roles_of_manifests_have_a_limit(fields: dict[str, Any], limited: bool) -> None:
    assert ("db-login-roles-bounded" not in rules(manifest_of(**fields))) == limited


def test_columns_of_manifests_are_judged() -> None:
    grants = [{"object_type": "table", "objects": ["audit"], "privileges": ["UPDATE (a, b)"]}]
    assert "db-audit-append-only" in rules(manifest_of(grants=grants))
    grants = [
        {"object_type": "table", "objects": ["audit"], "privileges": ["UPDATE"], "columns": ["a"]}
    ]
    assert "db-audit-append-only" in rules(manifest_of(grants=grants))


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        ("db-no-elevated-roles", {"create_role": True}),
        ("db-no-elevated-roles", {"createDatabase": True}),
        ("db-no-elevated-roles", {"createdb": "yes"}),
        ("db-no-elevated-roles", {"replication": True}),
        ("db-no-elevated-roles", {"BYPASSRLS": True}),
        ("db-no-elevated-roles", {"bypass_row_level_security": True}),
        ("db-login-role-limits", {"password": "hunter2"}),
        ("db-login-role-limits", {"password": 5}),
        ("db-app-cannot-delete", {"member_of": ["rds_password"]}),
        (
            "db-app-cannot-delete",
            {"grants": [{"object_type": "table", "objects": ["t"], "privileges": ["TRIGGER"]}]},
        ),
        (
            "db-no-grant-options",
            {
                "grants": [
                    {
                        "object_type": "table",
                        "objects": ["*"],
                        "privileges": ["SELECT"],
                        "with_grant_option": True,
                    }
                ]
            },
        ),
        (
            "db-grants-named",
            {"grants": [{"object_type": "sequence", "objects": ["q"], "privileges": ["ALL"]}]},
        ),
    ],
)
def test_faults_of_manifests_are_refused(rule: str, fields: dict[str, Any]) -> None:
    assert rule in rules(manifest_of(**fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"create_role": False},
        {"replication": None},
        {"member_of": ["pg_maintain"]},
        {"password": "SCRAM-SHA-256$4096:c2FsdA==$a2V5:c2VydmVy"},
        {"grants": [{"object_type": "tables", "objects": ["*"], "privileges": ["SELECT"]}]},
    ],
)
def test_sound_manifests_pass(fields: dict[str, Any]) -> None:
    assert rules(manifest_of(**fields)) == set()


def test_defaults_of_manifests_meet_migrations() -> None:
    every = [{"object_type": "table", "objects": ["*"], "privileges": ["DELETE"]}]
    made = migrations([("1.sql", "CREATE TABLE other (a int);")], None)
    found = paths(manifest_of(grants=every), made)
    assert "np_app → is granted DELETE on node_pass.other" in found


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
