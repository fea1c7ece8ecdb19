"""SQL migrations: every way to a deletion, and what deletes nothing."""

from __future__ import annotations

import pytest

from tests.policies.sql_judging import (
    CLOSED,
    SAFE,
    TABLE,
    TRIGGER,
    WIPE,
    judged,
    paths,
)

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
