"""SQL migrations: every way to a deletion, every statement that cannot be followed, the places."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from policies.database.membership import Memberships
from policies.database.model import Database, Object
from policies.database.model import Kind as ObjectKind
from policies.database.privileges import holds
from policies.evaluation import Kind, Verdict, evaluate
from policies.inventory import Stack
from policies.rules import Context, Enforcement, Environment
from policies.sql import judge_files, migrations
from policies.sql.interpreter import SqlFile, run
from policies.sql.session import Session

MANIFEST = {
    "workload": "w",
    "database": "w",
    "schema": "w",
    "roles": [
        {"name": "w_owner", "kind": "owner", "login": False},
        {"name": "w_migrator", "kind": "migrator", "member_of": ["w_owner"], "connection_limit": 2},
        {"name": "w_retention", "kind": "retention", "login": True, "connection_limit": 2},
        {"name": "w_app", "kind": "app", "login": True, "connection_limit": 20},
        {"name": "w_reader", "kind": "readonly", "login": True, "connection_limit": 5},
    ],
}
TABLE = "CREATE TABLE t (id int, status text);\n"
WIPE = "CREATE FUNCTION wipe() RETURNS void LANGUAGE sql SECURITY DEFINER"
SAFE = "SET search_path = w, pg_temp"
TRIGGER = "RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = w, pg_temp"
CLOSED = "REVOKE ALL ON FUNCTION wipe() FROM PUBLIC;\n"


def judged(
    *files: str, manifest: Any = MANIFEST, environment: Environment = Environment.PROD, **more: Any
) -> list[Verdict]:
    named = [(f"{number:04}_m.sql", text) for number, text in enumerate(files, 1)]
    context = Context(environment=environment, **more)
    return [
        one
        for one in evaluate(Stack([migrations(named, manifest)]), context)
        if one.kind is Kind.VIOLATION
    ]


def rules(*files: str, **more: Any) -> set[str]:
    return {one.rule.id for one in judged(*files, **more)}


def paths(*files: str, **more: Any) -> list[str]:
    return [
        one.finding.partition("lets an application delete: ")[2].partition("; it must")[0]
        for one in judged(*files, **more)
        if one.rule.id == "db-app-cannot-delete"
    ]


REACHED = {
    "grant": (TABLE + "GRANT DELETE ON t TO w_app;", "w_app → is granted DELETE on w.t"),
    "truncate": (TABLE + "GRANT TRUNCATE ON TABLE w.t TO w_reader;", "granted TRUNCATE on w.t"),
    "all": (TABLE + "GRANT ALL ON t TO w_app;", "is granted DELETE on w.t"),
    "all in schema": (
        TABLE + "GRANT DELETE ON ALL TABLES IN SCHEMA w TO w_app;",
        "is granted DELETE on w.t",
    ),
    "tables of other files": (
        "GRANT DELETE ON ALL TABLES IN SCHEMA other TO w_app;",
        "is granted DELETE on other.*",
    ),
    "public": (TABLE + "GRANT DELETE ON t TO PUBLIC;", "every role → is granted DELETE on w.t"),
    "grant option": (
        TABLE + "GRANT DELETE ON t TO w_app WITH GRANT OPTION;",
        "is granted DELETE on w.t, and may pass it on",
    ),
    "passed on": (
        TABLE + "GRANT DELETE ON t TO w_retention WITH GRANT OPTION; SET ROLE w_retention; "
        "GRANT DELETE ON t TO w_app;",
        "w_app → is granted DELETE",
    ),
    "trigger privilege": (TABLE + "GRANT TRIGGER ON t TO w_app;", "is granted TRIGGER on w.t"),
    "default": (
        "ALTER DEFAULT PRIVILEGES GRANT DELETE ON TABLES TO w_app;",
        "w_app → is granted DELETE on each table that w_owner creates",
    ),
    "default in schema": (
        "ALTER DEFAULT PRIVILEGES FOR ROLE w_owner IN SCHEMA w GRANT TRUNCATE ON TABLES TO w_app;",
        "w_app → is granted TRUNCATE on each table that w_owner creates in w",
    ),
    "default, then a table": (
        "ALTER DEFAULT PRIVILEGES GRANT DELETE ON TABLES TO w_app;" + TABLE,
        "is granted DELETE on w.t",
    ),
    "membership": (
        "GRANT w_owner TO w_app;" + TABLE,
        "w_app → is a member of w_owner → owns w.t: an owner can DELETE without a grant",
    ),
    "membership by SET": (
        "GRANT w_owner TO w_app WITH INHERIT FALSE;" + TABLE,
        "w_app → is a member of w_owner (SET) → owns w.t",
    ),
    "membership by INHERIT": (
        "GRANT w_retention TO w_app WITH SET FALSE;" + TABLE + "GRANT DELETE ON t TO w_retention;",
        "w_app → is a member of w_retention (INHERIT) → is granted DELETE on w.t",
    ),
    "membership by ADMIN": (
        "GRANT w_owner TO w_app WITH INHERIT FALSE, SET FALSE, ADMIN TRUE;" + TABLE,
        "is a member of w_owner (ADMIN, so that it may make itself a full one) → owns w.t",
    ),
    "membership over another role": (
        "CREATE ROLE mid; GRANT w_owner TO mid; GRANT mid TO w_app;" + TABLE,
        "w_app → is a member of mid → is a member of w_owner → owns w.t",
    ),
    "in role": (
        TABLE + "CREATE ROLE x LOGIN IN ROLE w_owner;",
        "x → is a member of w_owner → owns",
    ),
    "role of role": (TABLE + "ALTER GROUP w_owner ADD USER w_app;", "w_app → is a member of"),
    "predefined role": (
        "GRANT pg_write_all_data TO w_app;",
        "is a member of pg_write_all_data → pg_write_all_data may DELETE from every table",
    ),
    "rds_superuser": ("GRANT rds_superuser TO w_app;", "rds_superuser may give itself every"),
    "unknown group": ("GRANT somebody TO w_app;", "somebody is not defined here"),
    "superuser": ("ALTER ROLE w_app SUPERUSER;", "w_app → is a superuser"),
    "ownership": (TABLE + "ALTER TABLE t OWNER TO w_app;", "w_app → owns w.t"),
    "creation": ("SET ROLE w_app; CREATE TABLE x (a int);", "w_app → owns w.x"),
    "ownership of the schema": ("ALTER SCHEMA w OWNER TO w_app;", "owns schema w: an owner can"),
    "schema of its own": ("CREATE SCHEMA AUTHORIZATION w_app;", "owns schema w_app"),
    "inside a schema": (
        "CREATE SCHEMA s CREATE TABLE x (a int) GRANT DELETE ON x TO w_app;",
        "w_app → is granted DELETE on s.x",
    ),
    "inside a schema without a name": (
        "CREATE SCHEMA AUTHORIZATION w_retention CREATE TABLE x (a int) "
        "GRANT DELETE ON x TO w_app;",
        "w_app → is granted DELETE on w_retention.x",
    ),
    "definer, assignment": (
        "CREATE FUNCTION wipe() RETURNS void LANGUAGE plpgsql SECURITY DEFINER "
        "SET search_path = w, pg_temp AS $$ DECLARE x text; BEGIN x := dblink_exec('y'); END $$;",
        "which calls dblink_exec, which may run or set anything",
    ),
    "definer, assignment with =": (
        "CREATE FUNCTION wipe() RETURNS void LANGUAGE plpgsql SECURITY DEFINER "
        "SET search_path = w, pg_temp AS $$ DECLARE x text; BEGIN x = dblink_exec('y'); END $$;",
        "which calls dblink_exec, which may run or set anything",
    ),
    "definer, ON CONFLICT": (
        TABLE + "CREATE TABLE u (a int); CREATE RULE r AS ON UPDATE TO u DO ALSO DELETE FROM t;"
        f"{WIPE} {SAFE} AS 'INSERT INTO u VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2';",
        "which sets off the rule r of w.u, which deletes from w.t",
    ),
    "column renamed, table kept": (
        TABLE + "GRANT DELETE ON t TO w_app; ALTER TABLE t RENAME COLUMN status TO state;",
        "w_app → is granted DELETE on w.t",
    ),
    "two rules": (
        TABLE + "CREATE TABLE u (a int); CREATE RULE r AS ON UPDATE TO u DO ALSO DELETE FROM t;"
        "CREATE RULE s AS ON UPDATE TO u DO ALSO SELECT 1; GRANT UPDATE ON u TO w_app;",
        "may UPDATE w.u → the rule r deletes from w.t",
    ),
    "one of two functions of a name": (
        f"{TABLE}{WIPE} {SAFE} AS 'SELECT 1';{CLOSED}{WIPE.replace('()', '(a int)')} {SAFE} AS "
        "'DELETE FROM t'; REVOKE ALL ON FUNCTION wipe(int) FROM PUBLIC;"
        "GRANT EXECUTE ON FUNCTION wipe(int) TO w_app;",
        "w_app → may EXECUTE w.wipe(int4)",
    ),
    "another schema is dropped": (
        f"{TABLE}{WIPE} {SAFE} AS 'DELETE FROM t'; DROP SCHEMA other;",
        "every role → may EXECUTE w.wipe()",
    ),
    "reassigned": (TABLE + "REASSIGN OWNED BY w_owner TO w_app;", "owns w.t"),
    "view": (TABLE + "CREATE VIEW v AS SELECT * FROM t; GRANT DELETE ON v TO w_app;", "on w.v"),
    "renamed": (TABLE + "GRANT DELETE ON t TO w_app; ALTER TABLE t RENAME TO u;", "on w.u"),
    "moved": (TABLE + "GRANT DELETE ON t TO w_app; ALTER TABLE t SET SCHEMA s;", "on s.t"),
    "definer": (
        f"{TABLE}{WIPE} {SAFE} AS 'DELETE FROM t';{CLOSED}GRANT EXECUTE ON FUNCTION wipe TO w_app;",
        "w_app → may EXECUTE w.wipe() (SECURITY DEFINER of w_owner), which deletes from w.t",
    ),
    "definer, by PUBLIC": (
        f"{TABLE}{WIPE} {SAFE} AS 'TRUNCATE t';",
        "every role → may EXECUTE w.wipe() (SECURITY DEFINER of w_owner), which empties w.t",
    ),
    "definer, made so later": (
        TABLE + "CREATE FUNCTION wipe() RETURNS void LANGUAGE sql AS 'DELETE FROM t';"
        "ALTER FUNCTION wipe() SECURITY DEFINER SET search_path = w, pg_temp;",
        "which deletes from w.t",
    ),
    "definer, atomic body": (
        f"{TABLE}{WIPE} {SAFE} BEGIN ATOMIC DELETE FROM t; END;",
        "which deletes from w.t",
    ),
    "definer, data-modifying WITH": (
        f"{TABLE}{WIPE} {SAFE} AS 'WITH gone AS (DELETE FROM t RETURNING 1) SELECT 1';",
        "which deletes from w.t",
    ),
    "definer, MERGE": (
        f"{TABLE}{WIPE} {SAFE} AS "
        "'MERGE INTO t USING t u ON t.id = u.id WHEN MATCHED THEN DELETE';",
        "which deletes from w.t",
    ),
    "definer, PL/pgSQL": (
        TABLE + "CREATE FUNCTION wipe() RETURNS void LANGUAGE plpgsql SECURITY DEFINER "
        "SET search_path = w, pg_temp AS $$ BEGIN IF true THEN DELETE FROM t; END IF; END $$;",
        "which deletes from w.t",
    ),
    "definer, dynamic": (
        "CREATE FUNCTION wipe(q text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER "
        "SET search_path = w, pg_temp AS $$ BEGIN EXECUTE q; END $$;",
        "which runs dynamic SQL (EXECUTE), so that it cannot be judged",
    ),
    "definer, GRANT inside": (
        f"{WIPE} {SAFE} AS 'GRANT DELETE ON t TO w_app';",
        "which runs GRANT, so that it cannot be judged",
    ),
    "definer, another language": (
        "CREATE FUNCTION wipe() RETURNS void LANGUAGE plperl SECURITY DEFINER "
        "SET search_path = w, pg_temp AS 'x';",
        "which is written in plperl, so that it cannot be judged",
    ),
    "definer, calls": (
        TABLE + "CREATE FUNCTION inner_one() RETURNS void LANGUAGE sql AS 'DELETE FROM t';"
        f"{WIPE} {SAFE} AS 'SELECT inner_one()';",
        "which calls w.inner_one(), which deletes from w.t",
    ),
    "definer, calls what is not there": (
        f"{WIPE} {SAFE} AS 'SELECT other.thing()';",
        "which calls other.thing, which is not defined here, so that it cannot be judged",
    ),
    "definer, runs text": (
        f"{WIPE} {SAFE} AS $$SELECT query_to_xml('x', true, true, '')$$;",
        "which calls query_to_xml, which may run or set anything",
    ),
    "definer, open search_path": (
        f"{WIPE} AS 'SELECT 1';",
        "which has no search_path of its own, so that its caller decides what it runs",
    ),
    "definer trigger": (
        f"{TABLE}CREATE FUNCTION wipe() {TRIGGER} AS $$ BEGIN DELETE FROM t; RETURN NULL; END $$;"
        f"{CLOSED}CREATE TRIGGER x AFTER UPDATE ON t EXECUTE FUNCTION wipe();"
        "GRANT UPDATE ON t TO w_app;",
        "w_app → may UPDATE w.t → its trigger x runs w.wipe() (SECURITY DEFINER of w_owner), "
        "which deletes from w.t",
    ),
    "trigger of a partition": (
        "CREATE TABLE t (id int) PARTITION BY LIST (id); CREATE TABLE p PARTITION OF t "
        f"FOR VALUES IN (1); CREATE FUNCTION wipe() {TRIGGER} AS $$ BEGIN TRUNCATE t; END $$;"
        f"{CLOSED}CREATE TRIGGER x AFTER INSERT ON p EXECUTE FUNCTION w.wipe();"
        "GRANT INSERT ON t TO w_app;",
        "may INSERT w.t → its trigger x runs w.wipe()",
    ),
    "rule": (
        TABLE + "CREATE TABLE u (a int); CREATE RULE r AS ON UPDATE TO u DO ALSO DELETE FROM t;"
        "GRANT UPDATE ON u TO w_app;",
        "w_app → may UPDATE w.u → the rule r deletes from w.t",
    ),
    "definer sets off a rule": (
        TABLE + "CREATE TABLE u (a int); CREATE RULE r AS ON UPDATE TO u DO ALSO DELETE FROM t;"
        f"{WIPE} {SAFE} AS 'UPDATE u SET a = 1';",
        "which sets off the rule r of w.u, which deletes from w.t",
    ),
    "definer sets off a trigger": (
        f"{TABLE}CREATE TABLE u (a int); CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql "
        "AS $$ BEGIN DELETE FROM t; RETURN NULL; END $$; CREATE TRIGGER x AFTER INSERT ON u "
        f"EXECUTE FUNCTION gone();{WIPE} {SAFE} AS 'INSERT INTO u VALUES (1)';",
        "which sets off the trigger x of w.u, which deletes from w.t",
    ),
}


@pytest.mark.parametrize("case", REACHED)
def test_every_way_to_a_deletion_is_refused_and_written_out(case: str) -> None:
    text, path = REACHED[case]
    found = paths(text)
    assert any(path in one for one in found), found


KEPT = {
    "rows": TABLE + "GRANT SELECT, INSERT, UPDATE ON t TO w_app;",
    "columns": TABLE + "GRANT UPDATE (status) ON t TO w_app;",
    "a deletion of retention": TABLE + "GRANT DELETE ON t TO w_retention;",
    "revoked again": TABLE + "GRANT DELETE ON t TO w_app; REVOKE DELETE ON t FROM w_app;",
    "dropped again": "CREATE VIEW v AS SELECT 1; GRANT DELETE ON v TO w_app; DROP VIEW v;",
    "default, revoked": "ALTER DEFAULT PRIVILEGES GRANT DELETE ON TABLES TO w_app;"
    "ALTER DEFAULT PRIVILEGES REVOKE DELETE ON TABLES FROM w_app;" + TABLE,
    "harmless group": "GRANT pg_read_all_data TO w_app;",
    "member of a reader": "GRANT w_reader TO w_app;",
    "no use of a group": "GRANT w_owner TO w_app WITH INHERIT FALSE, SET FALSE;",
    "left again": "GRANT w_owner TO w_app; REVOKE w_owner FROM w_app;",
    "invoker": TABLE + "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'DELETE FROM t';",
    "invoker trigger": TABLE
    + "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM t; END $$;"
    "CREATE TRIGGER x AFTER UPDATE ON t EXECUTE FUNCTION f(); GRANT UPDATE ON t TO w_app;",
    "closed definer": f"{TABLE}{WIPE} {SAFE} AS 'DELETE FROM t';{CLOSED}"
    "GRANT EXECUTE ON FUNCTION wipe() TO w_retention;",
    "passed on and taken back": TABLE + "GRANT DELETE ON t TO w_retention WITH GRANT OPTION;"
    "SET ROLE w_retention; GRANT DELETE ON t TO w_app; RESET ROLE;"
    "REVOKE DELETE ON t FROM w_retention CASCADE;",
    "membership passed on and taken back": TABLE
    + "GRANT w_owner TO w_retention WITH ADMIN OPTION; SET ROLE w_retention;"
    "GRANT w_owner TO w_app; RESET ROLE; REVOKE w_owner FROM w_retention CASCADE;",
    "the other of two functions of a name": f"{TABLE}{WIPE} {SAFE} AS 'SELECT 1';{CLOSED}"
    f"{WIPE.replace('()', '(a int)')} {SAFE} AS 'DELETE FROM t';"
    "REVOKE ALL ON FUNCTION wipe(int) FROM PUBLIC; GRANT EXECUTE ON FUNCTION wipe() TO w_app;",
    "definer that assigns": "CREATE FUNCTION wipe() RETURNS void LANGUAGE plpgsql SECURITY DEFINER "
    "SET search_path = w, pg_temp AS $$ DECLARE x int; BEGIN x := 1 + 2; x = abs(x); END $$;"
    + CLOSED
    + "GRANT EXECUTE ON FUNCTION wipe() TO w_app;",
    "definer that adds where a rule waits for changes": TABLE
    + "CREATE TABLE u (a int); CREATE RULE r AS ON UPDATE TO u DO ALSO DELETE FROM t;"
    f"{WIPE} {SAFE} AS 'INSERT INTO u VALUES (1)';{CLOSED}"
    "GRANT EXECUTE ON FUNCTION wipe() TO w_app;",
    "definer that adds": f"{TABLE}{WIPE} {SAFE} AS 'INSERT INTO t SELECT now()';{CLOSED}"
    "GRANT EXECUTE ON FUNCTION wipe() TO w_app;",
    "other event": f"{TABLE}CREATE FUNCTION wipe() {TRIGGER} AS $$ BEGIN DELETE FROM t; END $$;"
    f"{CLOSED}CREATE TRIGGER x AFTER DELETE ON t EXECUTE FUNCTION wipe();"
    "GRANT UPDATE ON t TO w_app;",
    "acting as owner": "SET ROLE w_owner; CREATE TABLE x (a int); RESET ROLE;",
    "searched for": "CREATE SCHEMA s; CREATE TABLE s.x (a int); SET search_path = s, w;"
    "GRANT SELECT ON x TO w_app; GRANT USAGE ON SCHEMA s TO w_app;",
    "everyday": TABLE + "CREATE INDEX ON t (id); COMMENT ON TABLE t IS 'DELETE'; ANALYZE t;"
    "ALTER TABLE t ADD COLUMN n int DEFAULT 1; ALTER TYPE s ADD VALUE 'x'; UPDATE t SET n = 2;"
    "INSERT INTO t VALUES (1); SELECT count(*) FROM t; CREATE TYPE e AS ENUM ('a');"
    "CREATE SEQUENCE q; ALTER TABLE t VALIDATE CONSTRAINT c; BEGIN; COMMIT;",
}


@pytest.mark.parametrize("case", KEPT)
def test_what_deletes_nothing_passes(case: str) -> None:
    assert [one.finding for one in judged(KEPT[case])] == []


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
