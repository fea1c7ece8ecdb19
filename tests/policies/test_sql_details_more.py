"""More conditions of the model, one at a time: bodies, guards, what goes back, resources."""

from __future__ import annotations

from typing import Any

import pytest

from policies.database.migrations import migrations
from policies.evaluation import Kind, evaluate
from policies.inventory import Resource, Stack
from policies.rules import Context
from tests.policies.database_doors import ROLE, grant, paths, pg, rules
from tests.policies.sql_details import DELETE, SAFE, T, after, found

CLOSED = "REVOKE ALL ON FUNCTION purge FROM PUBLIC; GRANT EXECUTE ON FUNCTION purge TO web;"


def body(text: str, arguments: str = "") -> str:
    """A definer that the application may execute."""
    head = f"CREATE FUNCTION purge({arguments}) RETURNS void LANGUAGE plpgsql {SAFE}"
    return f"{T}{head} AS $$ {text} $$; {CLOSED}"


UNDECIDED = {
    "BEGIN EXECUTE q; q := 'SELECT 1'; END": "q text",
    "BEGIN EXECUTE format('UPDATE %I SET a = 1', q); END": "q text",
    "BEGIN EXECUTE format('INSERT INTO %I VALUES (1)', q); END": "q text",
    "BEGIN SET LOCAL role = 'x'; END": "",
    "BEGIN SET session_replication_role = 'replica'; END": "",
    "BEGIN RESET ALL; END": "",
    "BEGIN PERFORM set_config('role', 'x', true); END": "",
    "BEGIN PERFORM set_config(q, 'x', true); END": "q text",
    "BEGIN CREATE ROLE x; END": "",
    "BEGIN DROP TABLE x; END": "",
    "DECLARE r record; BEGIN FOR r IN EXECUTE q LOOP NULL; END LOOP; END": "q text",
    "DECLARE c refcursor; BEGIN OPEN c FOR EXECUTE q; END": "q text",
    "BEGIN RETURN QUERY EXECUTE q; END": "q text",
    "DECLARE v text; BEGIN SELECT a INTO v FROM public.t; EXECUTE v; END": "",
    "DECLARE v text; BEGIN FOR v IN SELECT a FROM public.t LOOP EXECUTE v; END LOOP; END": "",
}


@pytest.mark.parametrize("text", UNDECIDED)
def test_bodies_that_cannot_be_decided_are_refused(text: str) -> None:
    told = found(body(text, UNDECIDED[text]))
    assert len(told) == 1
    assert told[0].endswith("so that it cannot be judged")


DECIDED = {
    "BEGIN SET LOCAL statement_timeout = '1s'; END": "",
    "BEGIN PERFORM set_config('app.x', 'x', true); END": "",
    "BEGIN CREATE TEMP TABLE x (a int); CREATE INDEX ON x (a); ANALYZE x; END": "",
    "DECLARE v text := 'SELECT 1'; BEGIN EXECUTE v; END": "",
    "BEGIN EXECUTE 'SELECT ' || n; END": "n bigint",
    "BEGIN EXECUTE format('SELECT count(*) FROM %I', q); END": "q text",
    "BEGIN EXECUTE 'INSERT INTO public.t VALUES (1)'; END": "",
    "DECLARE r record; BEGIN FOR r IN SELECT * FROM public.t LOOP NULL; END LOOP; END": "",
}


@pytest.mark.parametrize("text", DECIDED)
def test_bodies_that_delete_nothing_pass(text: str) -> None:
    assert found(body(text, DECIDED[text])) == []


def test_bodies_that_delete_what_only_they_know_are_refused() -> None:
    (told,) = found(body("BEGIN EXECUTE format('DELETE FROM %I', q); END", "q text"))
    assert told.endswith("which deletes from pg_catalog.<any name>")


DROPS = {
    "DROP TYPE mood;": [],
    "DROP VIEW v CASCADE;": [],
    "DROP DOMAIN d CASCADE;": ["db-migrations-keep-data: drops the domain and, by CASCADE, what is "
                               "made of it"],
    "CREATE SCHEMA a; DROP SCHEMA a;": ["db-migrations-keep-data: drops the schema a"],
    "DROP MATERIALIZED VIEW m;": [],
    "DROP SEQUENCE s;": [],
    "DROP INDEX CONCURRENTLY i;": [],
    "DROP FUNCTION nobody(int);": [],
    "DROP EXTENSION hstore;": [],
    "CREATE EXTENSION dblink SCHEMA x; DROP EXTENSION dblink;": [],
    "ALTER TABLE t DROP CONSTRAINT c;": [],
    "CREATE TEMP TABLE m (a int, b int); ALTER TABLE m DROP COLUMN b;": [],
}  # fmt: skip


@pytest.mark.parametrize("text", DROPS)
def test_what_is_lost_is_told(text: str) -> None:
    assert found(text) == DROPS[text]


def test_a_schema_goes_with_what_is_in_it_and_nothing_else() -> None:
    text = (
        "CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE a.t (x int); CREATE TABLE b.t (x int);"
        "GRANT DELETE ON a.t, b.t TO web; DROP SCHEMA a CASCADE;"
    )
    assert found(text) == [
        f"{DELETE}web → is granted DELETE on b.t",
        "db-migrations-keep-data: drops the schema a",
    ]


GUARD = (
    "CREATE TABLE audit_log (a int); CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    "{} END $$; CREATE TRIGGER keep BEFORE UPDATE OR DELETE ON audit_log EXECUTE FUNCTION no();"
)
GUARDS = {
    "IF TG_OP = 'DELETE' THEN RAISE EXCEPTION 'x'; END IF; RETURN NEW;": [],
    "IF TG_OP = 'DELETE' THEN NULL; END IF; RETURN NEW;": ["UPDATE, DELETE"],
    "IF NEW.a = 1 THEN RAISE EXCEPTION 'x'; END IF; RETURN NEW;": ["UPDATE, DELETE"],
    "RETURN NEW;": ["UPDATE, DELETE"],
    "RAISE WARNING 'x'; RETURN NULL;": [],
    "RAISE 'x';": [],
}


def advice(text: str) -> list[str]:
    verdicts = evaluate(Stack([migrations([("1.sql", text)])]), Context())
    told = [one.finding for one in verdicts if one.rule.id == "db-audit-guarded"]
    return [
        one.partition("(whoever runs the migrations) ")[2].partition(" public.")[0] for one in told
    ]


@pytest.mark.parametrize("text", GUARDS)
def test_guards_raise_whatever_happens(text: str) -> None:
    assert advice(GUARD.format(text)) == GUARDS[text]


def test_guards_are_for_both_events() -> None:
    table = "CREATE TABLE audit_log (a int); CREATE TABLE other (a int);"
    rule = "CREATE RULE {0} AS ON {0} TO audit_log DO INSTEAD {1};"
    assert advice(table) == ["UPDATE, DELETE"]
    assert advice(table + rule.format("UPDATE", "NOTHING")) == ["DELETE"]
    assert advice(table + rule.format("DELETE", "NOTHING")) == ["UPDATE"]
    assert advice(table + rule.format("DELETE", "INSERT INTO other VALUES (1)")) == [
        "UPDATE, DELETE"
    ]
    assert advice(table + rule.format("DELETE", "SELECT lower('a')")) == ["UPDATE, DELETE"]
    both = table + rule.format("UPDATE", "NOTHING") + rule.format("DELETE", "NOTHING")
    assert advice(both) == []
    assert found(both + "ALTER TABLE audit_log DISABLE RULE delete;") == [
        "db-audit-append-only: takes the guard against DELETE off public.audit_log"
    ]


def test_a_guard_that_never_was_cannot_be_taken_off() -> None:
    table = "CREATE TABLE audit_log (a int);"
    assert found(table + "DROP TRIGGER IF EXISTS x ON audit_log;") == []
    assert found(table + "ALTER TABLE audit_log DISABLE TRIGGER ALL;") == []
    guard = GUARD.format("RAISE 'x';")
    told = ["db-audit-append-only: takes the guard against UPDATE, DELETE off public.audit_log"]
    assert found(guard + "ALTER TABLE audit_log DISABLE TRIGGER USER;") == told
    assert found(guard + "ALTER TABLE audit_log DISABLE TRIGGER keep;") == told
    assert found(guard + "ALTER TABLE audit_log DISABLE TRIGGER other;") == []
    again = "ALTER TABLE audit_log DISABLE TRIGGER ALL, ENABLE TRIGGER ALL;"
    assert found(guard + again) == []


def undone(*files: tuple[str, str]) -> list[str]:
    verdicts = evaluate(Stack([migrations(files)]), Context())
    return [
        f"{one.urn} {one.rule.id}" for one in verdicts if one.kind is Kind.VIOLATION and one.blocks
    ]


def test_what_goes_back_is_judged_for_the_rights_that_it_gives() -> None:
    up = ("1.up.sql", "CREATE TABLE d (tenant_id int); ALTER TABLE d ENABLE ROW LEVEL SECURITY;")
    down = "ALTER TABLE d DISABLE ROW LEVEL SECURITY; DROP TABLE d; TRUNCATE d;"
    assert undone(up, ("1.down.sql", down)) == []
    gives = "GRANT DELETE ON d TO web; GRANT SELECT ON d TO PUBLIC; ALTER ROLE web CREATEDB;"
    assert undone(up, ("1.down.sql", gives)) == [
        "1.down.sql:1 db-app-cannot-delete",
        "1.down.sql:1 db-no-elevated-roles",
        "1.down.sql:1 db-no-public-grants",
    ]
    assert undone(up, ("1.down.sql", "CALL other.f();")) == ["1.down.sql:1 db-sql-decidable"]
    # What was wrong before is told once.
    wrong = (up[0], up[1] + "GRANT DELETE ON d TO web;")
    assert undone(wrong, ("1.down.sql", "SELECT 1;")) == ["1.up.sql:1 db-app-cannot-delete"]
    # Two of them go back in the other order.
    first = ("1.down.sql", "REVOKE DELETE ON d FROM web;")
    assert (
        undone(up, ("2.up.sql", "SELECT 1;"), first, ("2.down.sql", "GRANT DELETE ON d TO web;"))
        == []
    )


def test_functions_are_found_by_their_arguments() -> None:
    text = (
        "CREATE FUNCTION f(a int, OUT b int) LANGUAGE sql AS 'SELECT 1';"
        "CREATE FUNCTION f(a text[]) RETURNS TABLE (x int) LANGUAGE sql AS 'SELECT 1';"
        "GRANT EXECUTE ON FUNCTION f(int) TO web; ALTER FUNCTION f(text[]) SECURITY DEFINER;"
    )
    database, session = after(text)
    assert session.notes == []
    assert set(database.functions) == {"public.f(int4)", "public.f(text[])"}
    held = [one.object.name for one in database.grants.values() if one.role == "web"]
    assert held == ["public.f(int4)"]
    assert [one.security_definer for one in database.functions.values()] == [False, True]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (pg("grantRole", role="shop"), []),
        (pg("grantRole", grantRole="o"), []),
        (pg("database", "d2", owner="shop"), ["shop → owns database d2: an owner can drop all that "
                                              "is in it"]),
        (pg("schema", "s2", owner="shop"), ["shop → owns schema s2: an owner can drop all that is in "
                                            "it"]),
        (grant("DELETE", objects=[]), ["shop → is granted DELETE on s.*"]),
        (grant("DELETE", objects=None), ["shop → is granted DELETE on s.*"]),
        (grant("DELETE", schema=None), ["shop → is granted DELETE on public.t"]),
        (pg("role", "named", superuser=True, login=True), ["named → is a superuser"]),
    ],
)  # fmt: skip
def test_what_resources_leave_out(one: Resource, expected: list[str]) -> None:
    assert paths(one) == expected


def test_only_login_roles_are_limited() -> None:
    assert rules(pg("role", name="g")) == set()
    assert rules(pg("role", name="g", login=False)) == set()
    assert rules(pg("role", name="g", login=True)) == {"db-login-role-limits"}
    assert rules(grant("SELECT")) == set()
    named = pg("role", "label", **{**ROLE, "name": None, "connectionLimit": None})
    (told,) = [one for one in evaluate(Stack([named]), Context()) if one.kind is Kind.VIOLATION]
    assert "has no connectionLimit for label" in told.finding


@pytest.mark.parametrize(
    ("policy", "refused"),
    [
        ({"usage": True, "role": "shop"}, False),
        ({"usage": True, "role": ""}, True),
        ({"usage": True, "role": 5}, True),
        ({"usage": True, "role": "PUBLIC"}, True),
        ({"createWithGrant": True, "role": "x_owner"}, False),
        ({"create": False, "usage": False}, False),
        (5, False),
    ],
)
def test_policies_of_schemas_name_whom(policy: Any, refused: bool) -> None:
    assert ("db-no-public-grants" in rules(pg("schema", name="s", policies=[policy]))) == refused


@pytest.mark.parametrize(
    ("changes", "closed"),
    [
        ({}, True),
        ({"schema": "s"}, False),
        ({"objectType": "table"}, False),
        ({"role": "x_owner"}, False),
        ({"owner": "another"}, False),
    ],
)
def test_defaults_close_functions_for_public_everywhere(
    changes: dict[str, Any], closed: bool
) -> None:
    properties = {"role": "public", "owner": "(the provider's user)", "objectType": "function"}
    default = pg("defaults", **{**properties, "privileges": [], **changes})
    function = pg("function", name="f", schema="s", returns="void", body="BEGIN NULL; END")
    text = "ALTER FUNCTION s.f() SECURITY DEFINER SET search_path = s, pg_temp;"
    told = rules(default, function, migrations([("1.sql", text)]))
    assert ("db-definer-functions-closed" not in told) == closed


OPEN = "db-definer-functions-closed: lets PUBLIC execute public.f() (SECURITY DEFINER)"
MAKE = f"CREATE FUNCTION f() RETURNS int LANGUAGE sql {SAFE} RETURN 1;"
SHUT = "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;"
WITHHELD = {
    SHUT: [],
    SHUT.replace("REVOKE", "FOR ROLE x_owner REVOKE"): [OPEN],
    SHUT.replace("REVOKE", "IN SCHEMA public REVOKE"): [OPEN],
    SHUT.replace("REVOKE", "REVOKE GRANT OPTION FOR"): [OPEN],
    SHUT.replace("PUBLIC", "web"): [OPEN],
    SHUT.replace("FUNCTIONS", "TYPES").replace("EXECUTE", "USAGE"): [OPEN],
    SHUT + "DROP OWNED BY x_owner;": [],
    SHUT + "ALTER DEFAULT PRIVILEGES FOR ROLE x_owner GRANT EXECUTE ON FUNCTIONS TO web;": [],
}


@pytest.mark.parametrize("text", WITHHELD)
def test_default_privileges_take_from_postgresqls_own(text: str) -> None:
    assert found(text + MAKE) == WITHHELD[text]


def test_dropping_what_a_role_owns_drops_its_defaults() -> None:
    shut = SHUT.replace("REVOKE", "FOR ROLE x_owner REVOKE")
    as_owner = f"SET ROLE x_owner; {MAKE}"
    assert found(shut + as_owner) == []
    assert found(shut + "DROP OWNED BY y_owner;" + as_owner) == []
    assert found(shut + "DROP OWNED BY x_owner;" + as_owner) == [OPEN]


def test_options_of_default_privileges_are_taken_back() -> None:
    given = "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO web WITH GRANT OPTION;"
    taken = "ALTER DEFAULT PRIVILEGES REVOKE GRANT OPTION FOR SELECT ON TABLES FROM web;"
    told = ["db-no-grant-options: lets web pass SELECT of each table on"]
    assert found(given) == told
    assert found(given + taken) == []
    assert found(taken) == []
    assert found(given + taken.replace("web", "job")) == told
    assert found(given + taken.replace("GRANT OPTION FOR ", "")) == []


def test_functions_are_reassigned() -> None:
    text = "SET ROLE x_owner; CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1; RESET ROLE;"
    text += "CREATE FUNCTION g() RETURNS int LANGUAGE sql RETURN 1; CREATE SCHEMA s;"
    database, _ = after(text + "REASSIGN OWNED BY x_owner TO y_owner;")
    assert {name: one.owner for name, one in database.functions.items()} == {
        "public.f()": "y_owner",
        "public.g()": "(x)",
    }
    assert set(database.owners.values()) == {"(x)"}


ROWS = "db-row-security: has tenant_id in public.d without row level security"
RENAMED = {
    "CREATE TABLE d (a int); ALTER TABLE d RENAME COLUMN a TO tenant_id;": [ROWS],
    "CREATE TABLE d (tenant_id int); ALTER TABLE d RENAME COLUMN tenant_id TO a;": [],
    "CREATE TABLE d (tenant_id int); ALTER TABLE d RENAME CONSTRAINT tenant_id TO a;": [ROWS],
    "CREATE TABLE d (tenant_id int); ALTER TABLE d DROP COLUMN tenant_id;": [
        "db-migrations-keep-data: drops the column tenant_id of public.d"
    ],
}


@pytest.mark.parametrize("text", RENAMED)
def test_columns_are_followed(text: str) -> None:
    assert found(text) == RENAMED[text]


def test_a_guard_of_another_name_is_switched_by_it() -> None:
    guard = GUARD.format("RAISE 'x';")
    off = "ALTER TABLE audit_log DISABLE TRIGGER keep; ALTER TRIGGER keep ON audit_log RENAME TO k;"
    assert len(found(guard + off)) == 1
    assert found(guard + off + "ALTER TABLE audit_log ENABLE TRIGGER k;") == []
    renamed = (
        "ALTER TRIGGER keep ON audit_log RENAME TO k; ALTER TABLE audit_log DISABLE TRIGGER {};"
    )
    assert found(guard + renamed.format("keep")) == []
    assert len(found(guard + renamed.format("k"))) == 1


def test_policies_of_another_name_are_dropped_by_it() -> None:
    text = "CREATE TABLE d (a int); CREATE POLICY p ON d USING (a = 1); ALTER POLICY p ON d RENAME TO q;"
    told = ["db-row-security: has policies on public.d while row level security is off"]
    assert found(text) == told
    assert found(text + "DROP POLICY p ON d;") == told
    assert found(text + "DROP POLICY q ON d;") == []
