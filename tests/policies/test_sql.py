"""SQL migrations: every statement that cannot be followed, other faults, the places."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from policies.database.membership import Memberships
from policies.database.model import Database, Object
from policies.database.model import Kind as ObjectKind
from policies.database.privileges import holds
from policies.rules import Context, Enforcement, Environment
from policies.sql import judge_files
from policies.sql.interpreter import SqlFile, run
from policies.sql.session import Session
from tests.policies.sql_judging import (
    CLOSED,
    MANIFEST,
    SAFE,
    TABLE,
    WIPE,
    judged,
    paths,
    rules,
)

UNDECIDABLE = {
    "PREPARE p AS SELECT 1;": "prepares a statement",
    "EXECUTE p;": "runs a prepared statement",
    "COPY t TO PROGRAM 'sh';": "is a COPY",
    "\\i other.sql\n": "has the psql command \\i",
    "\\gexec\n": "has the psql command \\gexec",
    "GRANT DELETE ON": "cannot be parsed",
    "SELECT 1 SELECT 2;": "cannot be parsed",
    "LOAD 'x';": "loads a library",
    "CREATE EVENT TRIGGER e ON sql_drop EXECUTE FUNCTION f();": "makes an event trigger",
    "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;": "opens another server",
    "CREATE USER MAPPING FOR w_app SERVER s;": "logs in to another server",
    "ALTER ROLE w_app SET role = 'w_owner';": "sets role, what every session of a role begins with",
    "ALTER SYSTEM SET ssl = off;": "sets ssl, the server",
    "ALTER FUNCTION f() RENAME TO g;": "names the function f",
    "ALTER FUNCTION f() SET SCHEMA s;": "names the function f",
    "GRANT EXECUTE ON FUNCTION f(int) TO w_app;": "names the function f, which is not created here",
    "ALTER FUNCTION f(int) SECURITY DEFINER;": "names the function f",
    "ROLLBACK;": "is a ROLLBACK",
    "CREATE TABLE z (a int); GRANT DELETE ON z TO w_retention WITH GRANT OPTION; SET ROLE "
    "w_retention; GRANT DELETE ON z TO b; RESET ROLE; REVOKE DELETE ON z FROM w_retention;": (
        "fails, because w_retention has passed DELETE on table w.z on"
    ),
    "SELECT dblink_exec('x', 'y');": "calls dblink_exec",
    "CALL other.thing();": "calls other.thing, which is not defined here",
    "CREATE CAST (int AS text) WITH FUNCTION f(int);": "makes a cast",
    "CREATE FUNCTION f() RETURNS void LANGUAGE sql SET role = w_owner AS 'SELECT 1';": "changes role",
    "SECURITY LABEL ON TABLE t IS 'x';": "sets a security label",
    "SELECT 1;\x00": "has a NUL character",
    "CREATE TABLE x AS SELECT set_config('role', current_user, false);": "calls set_config",
}


@pytest.mark.parametrize("text", UNDECIDABLE)
def test_what_cannot_be_followed_is_refused_with_place_and_reason(text: str) -> None:
    place = re.compile(r"0001_m\.sql:[3-5]")  # where the parser stops, in data of a COPY
    found = [
        one
        for one in judged("-- a comment\n\n" + text)
        if one.rule.id == "db-sql-decidable" and place.fullmatch(one.urn)
    ]
    assert found
    assert all(one.blocks for one in found)
    assert any(reason in found[0].finding for reason in UNDECIDABLE[text].split("|"))


def test_dynamic_sql_of_a_function_that_is_called_is_refused() -> None:
    make = (
        "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE current_setting('a.b'); "
        "END $$;\nSELECT f();"
    )
    (verdict,) = [one for one in judged(make) if one.rule.id == "db-sql-decidable"]
    assert verdict.urn == "0001_m.sql:2"
    assert "calls w.f(), which runs dynamic SQL" in verdict.finding


def test_lines_are_those_of_the_statement_not_of_its_comment() -> None:
    text = "-- é\n/* a /* b */\n*/\n\n  " + TABLE + "\n-- why\nGRANT DELETE\n  ON t TO w_app;"
    (verdict,) = judged(text)
    assert verdict.urn == "0001_m.sql:8"


def test_state_is_carried_over_files_in_their_order() -> None:
    assert paths(TABLE, "GRANT DELETE ON t TO w_app;", "REVOKE DELETE ON t FROM w_app;") == []
    assert paths("REVOKE DELETE ON t FROM w_app;", TABLE + "GRANT DELETE ON t TO w_app;")
    # The migrations function begins each file as the owner; psql does not.
    assert paths("SET ROLE w_app;", TABLE) == []
    alone = ("CREATE ROLE w_app LOGIN; SET ROLE w_app;", TABLE)
    assert any("w_app → owns public.t" in one for one in paths(*alone, manifest=None))


def test_set_local_ends_with_its_transaction() -> None:
    text = "BEGIN; SET LOCAL ROLE w_app; COMMIT; CREATE TABLE x (a int);"
    assert paths(text) == []
    assert paths(text.replace("LOCAL ", "")) != []


def test_without_a_manifest_every_other_role_is_an_application() -> None:
    text = TABLE + "CREATE ROLE cleaner NOLOGIN; GRANT DELETE ON t TO cleaner;"
    assert paths(text, manifest=None) == ["cleaner → is granted DELETE on public.t"]
    allowed = {"db-app-cannot-delete": {"deletingRoles": ["cleaner"]}}
    assert paths(text, manifest=None, thresholds=allowed) == []


OTHERS = {
    "db-migrations-keep-data": [
        TABLE + "DROP TABLE t;",
        TABLE + "TRUNCATE t;",
        TABLE + "DELETE FROM t;",
        TABLE + "WITH x AS (DELETE FROM t RETURNING 1) SELECT 1;",
        TABLE + "ALTER TABLE t DROP COLUMN status;",
        "DROP SCHEMA w CASCADE;",
        TABLE + "DROP OWNED BY w_owner;",
    ],
    "db-no-elevated-roles": [
        *(
            f"CREATE ROLE x LOGIN {attribute};"
            for attribute in ("SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS")
        ),
        "ALTER ROLE w_migrator CREATEROLE;",
        "GRANT rds_superuser TO w_migrator;",
    ],
    "db-no-public-grants": [
        TABLE + "GRANT SELECT ON t TO PUBLIC;",
        "GRANT USAGE ON SCHEMA w TO PUBLIC;",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;",
        "GRANT CREATE ON SCHEMA w TO w_app;",
    ],
    "db-no-grant-options": [
        TABLE + "GRANT SELECT ON t TO w_app WITH GRANT OPTION;",
        "GRANT w_reader TO w_app WITH ADMIN OPTION;",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO w_app WITH GRANT OPTION;",
    ],
    "db-grants-named": [
        TABLE + "GRANT ALL ON t TO w_app;",
        "CREATE SEQUENCE q; GRANT ALL PRIVILEGES ON SEQUENCE q TO w_app;",
        "ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO w_app;",
    ],
    "db-definer-functions-closed": [
        f"{WIPE} AS 'SELECT 1';{CLOSED}",
        f"{WIPE} {SAFE} AS 'SELECT 1';",
        f"{WIPE} SET search_path = w AS 'SELECT 1';{CLOSED}",
        f"{WIPE} SET search_path = pg_temp, w AS 'SELECT 1';{CLOSED}",
        f"{WIPE} SET search_path = '$user', pg_temp AS 'SELECT 1';{CLOSED}",
        f"{WIPE} SET search_path FROM CURRENT AS 'SELECT 1';{CLOSED}",
        f"GRANT CREATE ON SCHEMA w TO w_app;{WIPE} {SAFE} AS 'SELECT 1';{CLOSED}",
    ],
    "db-row-security": [
        "CREATE TABLE x (tenant_id int);",
        TABLE + "ALTER TABLE t ADD COLUMN tenant_id int;",
        TABLE + "CREATE POLICY p ON t USING (id = 1);",
        TABLE + "ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (true);",
        TABLE + "CREATE POLICY p ON t WITH CHECK (true); ALTER TABLE t ENABLE ROW LEVEL SECURITY;",
        TABLE + "ALTER TABLE t ENABLE ROW LEVEL SECURITY, OWNER TO w_migrator;",
    ],
    "db-login-role-limits": [
        "CREATE ROLE x LOGIN PASSWORD 'secret';",
        "ALTER ROLE w_app PASSWORD 'secret';",
    ],
    "db-audit-append-only": [
        "CREATE TABLE audit_log (a int); GRANT UPDATE ON audit_log TO w_app;",
        "CREATE TABLE my_audits (a int); GRANT DELETE ON my_audits TO w_app;",
    ],
    "db-extensions-allowed": [
        "CREATE EXTENSION dblink SCHEMA w;",
        "CREATE EXTENSION pgcrypto SCHEMA public;",
        "SET search_path = public; CREATE EXTENSION citext;",
    ],
}


@pytest.mark.parametrize(
    ("rule", "text"), [(rule, text) for rule, texts in OTHERS.items() for text in texts]
)
def test_other_faults_are_refused_by_their_rule(rule: str, text: str) -> None:
    found = [one for one in judged(text) if one.rule.id == rule]
    assert found
    assert all(one.blocks and one.urn.startswith("0001_m.sql:") for one in found)


SOUND = [
    f"{WIPE} {SAFE} AS 'SELECT 1';{CLOSED}",
    f"{WIPE} SET search_path = '' AS 'SELECT 1';{CLOSED}",
    f"{WIPE} SET search_path = pg_catalog AS 'SELECT 1';{CLOSED}",
    "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;"
    f"{WIPE} {SAFE} AS 'SELECT 1';",
    "CREATE TABLE x (tenant_id int); ALTER TABLE x ENABLE ROW LEVEL SECURITY;"
    "CREATE POLICY p ON x USING (tenant_id = current_setting('app.tenant')::int);",
    "CREATE ROLE x LOGIN PASSWORD 'SCRAM-SHA-256$4096:a$b:c' CONNECTION LIMIT 5 "
    "VALID UNTIL '2027-01-01'; ALTER ROLE x SET statement_timeout = '30s';",
    "CREATE TABLE audit_log (a int); GRANT INSERT, SELECT ON audit_log TO w_app;"
    "REVOKE UPDATE, DELETE, TRUNCATE ON audit_log FROM w_owner;",
    "CREATE EXTENSION pgcrypto SCHEMA w; CREATE EXTENSION pg_trgm;",
    "GRANT CREATE ON SCHEMA w TO w_migrator;",
]


@pytest.mark.parametrize("text", SOUND)
def test_sound_statements_pass(text: str) -> None:
    assert [one.finding for one in judged(text)] == []


def test_settings_of_the_rules_are_followed() -> None:
    table = "CREATE TABLE x (customer int); CREATE EXTENSION postgis SCHEMA w;"
    assert rules(table) == {"db-extensions-allowed"}
    own = {
        "db-extensions-allowed": {"extensions": ["postgis"]},
        "db-row-security": {"tenantColumns": ["customer"]},
    }
    assert rules(table, thresholds=own) == {"db-row-security"}


def test_dropping_is_advisory_where_loss_is_affordable() -> None:
    text = TABLE + "DROP TABLE t;"
    levels = {one: judged(text, environment=one)[0].enforcement for one in Environment}
    assert levels[Environment.PROD] is levels[Environment.STAGING] is Enforcement.MANDATORY
    assert levels[Environment.DEV] is levels[Environment.LOCAL] is Enforcement.ADVISORY


def test_files_are_read_and_judged(tmp_path: Path) -> None:
    first, second = tmp_path / "1.sql", tmp_path / "2.sql"
    first.write_text(TABLE)
    second.write_bytes(b"SELECT '\xff\xfe';\nGRANT DELETE ON t TO w_app;\n")
    found = judge_files([first, second], Context(), manifest=MANIFEST)
    assert [(one.rule.id, one.urn) for one in found] == [
        ("db-sql-decidable", f"{second.as_posix()}:1")
    ]
    with pytest.raises(OSError, match="missing"):
        judge_files([tmp_path / "missing.sql"], Context())


def test_huge_and_deep_texts_are_refused_quickly() -> None:
    for depth in (500, 5_000, 50_000):
        assert rules("SELECT " + "f(" * depth + "1" + ")" * depth) <= {"db-sql-decidable"}
    assert rules("-- " + "x" * 3_000_000) == {"db-sql-decidable"}
    assert rules("SELECT 1;" * 5_000) == set()


def test_superusers_hold_everything_and_grant_as_the_owner() -> None:
    database = Database()
    session = Session(database, "owner")
    text = TABLE + "CREATE ROLE root SUPERUSER; SET ROLE root; GRANT SELECT ON t TO a;"
    run(session, [SqlFile("1.sql", text)], fresh_session_per_file=False)
    table = Object(ObjectKind.TABLE, "public.t")
    memberships = Memberships(database)
    assert holds(database, memberships, "root", "DELETE", table)
    assert holds(database, memberships, "owner", "DELETE", table)
    assert holds(database, memberships, "a", "SELECT", table)
    assert not holds(database, memberships, "a", "DELETE", table)
    assert [one.grantor for one in database.on(table) if one.role == "a"] == ["owner"]
