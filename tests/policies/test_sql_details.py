"""Details of the model that one condition each decides: exact ways, places and what is told once."""

from __future__ import annotations

from typing import Any

import pytest

from policies.database.model import Database, Kind, Place
from policies.evaluation import Kind as Verdicts
from policies.evaluation import Verdict, evaluate
from policies.inventory import Stack
from policies.rules import Context
from policies.sql import migrations
from policies.sql.interpreter import SqlFile, run
from policies.sql.session import Session

T = "CREATE TABLE t (a int, b int);\n"
SAFE = "SECURITY DEFINER SET search_path = pg_catalog, pg_temp"
PURGE = (
    f"CREATE FUNCTION purge() RETURNS void LANGUAGE sql {SAFE} AS 'DELETE FROM public.t';\n"
    "REVOKE ALL ON FUNCTION purge() FROM PUBLIC;\n"
)
ON_UPDATE = (
    f"CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql {SAFE} AS $$ BEGIN DELETE FROM "
    "public.t; RETURN NULL; END $$; REVOKE ALL ON FUNCTION gone() FROM PUBLIC;\n"
)
DOC = (
    "CREATE TABLE doc (id int, tenant_id int); ALTER TABLE doc ENABLE ROW LEVEL SECURITY;"
    "CREATE VIEW v AS SELECT * FROM doc;"
)
AUDIT = "CREATE TABLE audit_log (a int, b int);"


def judged(text: str) -> list[Verdict]:
    found = evaluate(Stack([migrations([("1.sql", text)])]), Context())
    return [one for one in found if one.kind is Verdicts.VIOLATION and one.blocks]


def found(text: str) -> list[str]:
    """Rules and findings, shortened: `rule: finding`."""
    return [f"{one.rule.id}: {_short(one.finding)}" for one in judged(text)]


def _short(finding: str) -> str:
    text = finding.partition('" ')[2].partition("; it must")[0]
    return text.removeprefix("lets an application delete: ")


def after(text: str) -> tuple[Database, Session]:
    session = Session(Database(), "(x)")
    run(session, [SqlFile("1.sql", text)], fresh_session_per_file=False)
    return session.database, session


DELETE = "db-app-cannot-delete: "
EXACT: dict[str, tuple[str, list[str]]] = {
    "a member of who may execute": (
        T + PURGE + "CREATE ROLE g; GRANT g TO web; GRANT EXECUTE ON FUNCTION purge() TO g;",
        [
            f"{DELETE}g → may EXECUTE public.purge() (SECURITY DEFINER of (whoever runs the "
            "migrations)), which deletes from public.t",
            f"{DELETE}web → is a member of g → may EXECUTE public.purge() (SECURITY DEFINER of "
            "(whoever runs the migrations)), which deletes from public.t",
        ],
    ),
    "PUBLIC and one more may execute": (
        T + PURGE + "GRANT EXECUTE ON FUNCTION purge() TO web, PUBLIC;",
        [
            f"{DELETE}web → may EXECUTE public.purge() (SECURITY DEFINER of (whoever runs the "
            "migrations)), which deletes from public.t",
            f"{DELETE}every role → may EXECUTE public.purge() (SECURITY DEFINER of (whoever runs "
            "the migrations)), which deletes from public.t",
            "db-no-public-grants: grants EXECUTE on function public.purge() to PUBLIC",
            "db-definer-functions-closed: lets PUBLIC execute public.purge() (SECURITY DEFINER)",
        ],
    ),
    "defaults of others": (
        T + "GRANT SELECT ON t TO web; ALTER DEFAULT PRIVILEGES GRANT DELETE ON TABLES TO retention;"
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO web;"
        "ALTER DEFAULT PRIVILEGES GRANT UPDATE ON SEQUENCES TO web;",
        [],
    ),
    "a superuser": ("CREATE ROLE x LOGIN;\nALTER ROLE x SUPERUSER;", [
        f"{DELETE}x → is a superuser", "db-no-elevated-roles: gives x SUPERUSER",
    ]),
    "a predefined role": ("CREATE ROLE x;\nGRANT x TO y;\nGRANT pg_write_all_data TO y;", [
        f"{DELETE}y → is a member of pg_write_all_data → pg_write_all_data may DELETE from every "
        "table",
    ]),
    "shown to the owner and to retention": (
        DOC + "GRANT SELECT ON v TO retention; GRANT SELECT ON v TO CURRENT_USER;", [],
    ),
    "shown to everybody": (DOC + "GRANT SELECT ON v TO PUBLIC;", [
        "db-no-public-grants: grants SELECT on table public.v to PUBLIC",
        "db-row-security: shows PUBLIC public.doc past its row level security by the view public.v",
    ]),
    "a view of another owner": (
        DOC + "ALTER VIEW v OWNER TO other_owner; GRANT SELECT ON v TO web;", [],
    ),
    "a view of what is forced": (
        DOC + "ALTER TABLE doc FORCE ROW LEVEL SECURITY; GRANT SELECT ON v TO web;", [],
    ),
    "a view of what is not secured": (T + "CREATE VIEW v AS SELECT * FROM t; GRANT SELECT ON v TO "
                                      "web;", []),
    "a view with a name of its own": (
        DOC + "CREATE VIEW w AS WITH doc AS (SELECT 1) SELECT * FROM doc; GRANT SELECT ON w TO web;",
        [],
    ),
    "a view that was replaced": (
        DOC + "CREATE OR REPLACE VIEW v WITH (security_invoker = on) AS SELECT * FROM doc; GRANT "
        "SELECT ON v TO web; ALTER VIEW v SET (security_barrier = true);", [],
    ),
    "audit, by retention": (AUDIT + "GRANT DELETE ON audit_log TO retention;", []),
    "audit, truncated": (AUDIT + "GRANT TRUNCATE ON audit_log TO web;", [
        f"{DELETE}web → is granted TRUNCATE on public.audit_log",
        "db-audit-append-only: lets web TRUNCATE public.audit_log",
    ]),
    "audit, a sequence": ("CREATE SEQUENCE audit_id; GRANT UPDATE ON SEQUENCE audit_id TO web;", []),
    "audit role, by SET": ("CREATE ROLE rds_pgaudit; GRANT rds_pgaudit TO web WITH INHERIT FALSE;", [
        "db-audit-append-only: makes web a member of rds_pgaudit, which says what is logged",
    ]),
    "audit role, without use": (
        "CREATE ROLE rds_pgaudit; GRANT rds_pgaudit TO web WITH INHERIT FALSE, SET FALSE;", [],
    ),
    "audit role of another name": (
        T + "CREATE ROLE watching; ALTER SYSTEM SET pgaudit.role = 'watching'; GRANT DELETE ON t TO "
        "watching;", [],
    ),
    "a function that is gone": (T + PURGE.partition("REVOKE")[0] + "DROP FUNCTION purge();", []),
    "a table that is gone": ("SET ROLE web; CREATE VIEW v AS SELECT 1; DROP VIEW v;", []),
    "an option, later": (
        T + "GRANT SELECT ON t TO web; GRANT SELECT ON t TO web WITH GRANT OPTION;",
        ["db-no-grant-options: lets web pass SELECT on table public.t on"],
    ),
    "an option, said before": (
        T + "GRANT SELECT ON t TO web WITH GRANT OPTION; GRANT SELECT ON t TO web;",
        ["db-no-grant-options: lets web pass SELECT on table public.t on"],
    ),
    "granted for an owner who gave it up": (
        "SET ROLE g_owner;" + T + "REVOKE DELETE ON t FROM g_owner; RESET ROLE; GRANT g_owner TO m_owner; "
        "SET ROLE m_owner; GRANT DELETE ON t TO web;",
        [f"{DELETE}web → is granted DELETE on public.t"],
    ),
    "an option by column": (
        T + "GRANT SELECT (a) ON t TO web WITH GRANT OPTION; GRANT SELECT (a) ON t TO web;",
        ["db-no-grant-options: lets web pass SELECT on table public.t on"],
    ),
    "an option by column, later": (
        T + "GRANT SELECT (a) ON t TO web; GRANT SELECT (a) ON t TO web WITH GRANT OPTION;",
        ["db-no-grant-options: lets web pass SELECT on table public.t on"],
    ),
    "an option by column, taken back": (
        T + "GRANT SELECT (a) ON t TO web WITH GRANT OPTION; REVOKE GRANT OPTION FOR SELECT (a) ON t "
        "FROM web;", [],
    ),
    "columns, taken back": (
        AUDIT + "GRANT UPDATE (a, b) ON audit_log TO web; REVOKE UPDATE (a) ON audit_log FROM web;",
        ["db-audit-append-only: lets web UPDATE public.audit_log"],
    ),
    "columns, all taken back": (
        AUDIT + "GRANT UPDATE (a, b) ON audit_log TO web; REVOKE UPDATE ON audit_log FROM web;", [],
    ),
    "columns, option of the table taken back": (
        AUDIT + "GRANT UPDATE (a) ON audit_log TO web; REVOKE GRANT OPTION FOR UPDATE ON audit_log "
        "FROM web;", ["db-audit-append-only: lets web UPDATE public.audit_log"],
    ),
    "ALL on columns": (AUDIT + "GRANT ALL (a) ON audit_log TO web;", [
        "db-audit-append-only: lets web UPDATE public.audit_log",
    ]),
    "columns of a view that is gone": (
        "CREATE VIEW audit_v AS SELECT 1 AS a; GRANT UPDATE (a) ON audit_v TO web; DROP VIEW "
        "audit_v;", [],
    ),
    "columns, the owner's": (
        AUDIT + "GRANT UPDATE (a) ON audit_log TO web; ALTER TABLE audit_log OWNER TO g_owner; SET "
        "ROLE g_owner; REVOKE UPDATE (a) ON audit_log FROM web;", [],
    ),
    "columns, another table's owner": (
        AUDIT + T + "SET ROLE g_owner; CREATE TABLE audit_b (a int); GRANT UPDATE (a) ON audit_b TO "
        "web; RESET ROLE; ALTER TABLE t OWNER TO g_owner; ALTER TABLE t OWNER TO x_owner; SET ROLE "
        "g_owner; REVOKE UPDATE (a) ON audit_b FROM web;", [],
    ),
    "columns, by who may not": (
        AUDIT + "SET ROLE other_owner; GRANT UPDATE (a) ON audit_log TO web;", [],
    ),
    "columns renamed": (
        AUDIT + "GRANT UPDATE (a) ON audit_log TO web; ALTER TABLE audit_log RENAME COLUMN a TO c;"
        "REVOKE UPDATE (c) ON audit_log FROM web;", [],
    ),
    "another column renamed": (
        AUDIT + "GRANT UPDATE (a) ON audit_log TO web; ALTER TABLE audit_log RENAME COLUMN b TO c;"
        "REVOKE UPDATE (c) ON audit_log FROM web;",
        ["db-audit-append-only: lets web UPDATE public.audit_log"],
    ),
    "a role of another name": (
        "CREATE ROLE x LOGIN SUPERUSER; CREATE ROLE z; ALTER ROLE x RENAME TO y;",
        [f"{DELETE}y → is a superuser", "db-no-elevated-roles: gives y SUPERUSER"],
    ),
    "everything of a role of another name": (
        T + AUDIT + "CREATE ROLE x; CREATE ROLE w; CREATE ROLE h; GRANT x TO w; GRANT h TO x; GRANT "
        "UPDATE (a) ON audit_log TO x; ALTER DEFAULT PRIVILEGES FOR ROLE x GRANT DELETE ON TABLES "
        "TO x; CREATE SCHEMA s AUTHORIZATION x; ALTER ROLE x RENAME TO y; GRANT DELETE ON t TO h;",
        [
            f"{DELETE}h → is granted DELETE on public.t",
            f"{DELETE}w → is a member of y → owns schema s: an owner can drop all that is in it",
            f"{DELETE}w → is a member of y → is granted DELETE on each table that y creates",
            f"{DELETE}w → is a member of y → is a member of h → is granted DELETE on public.t",
            f"{DELETE}y → is granted DELETE on each table that y creates",
            f"{DELETE}y → is a member of h → is granted DELETE on public.t",
            "db-audit-append-only: lets y UPDATE public.audit_log",
        ],
    ),
    "a schema of another name": (
        "CREATE SCHEMA a; CREATE SCHEMA ab; CREATE TABLE ab.t (a int); GRANT DELETE ON ab.t TO web;"
        "CREATE TABLE a.u (a int); GRANT TRUNCATE ON a.u TO web; ALTER DEFAULT PRIVILEGES IN SCHEMA "
        "a GRANT DELETE ON TABLES TO web; CREATE EXTENSION hstore SCHEMA public; ALTER SCHEMA a "
        "RENAME TO c;",
        [
            f"{DELETE}web → is granted DELETE on ab.t",
            f"{DELETE}web → is granted TRUNCATE on c.u",
            f"{DELETE}web → is granted DELETE on each table that (whoever runs the migrations) "
            "creates in c",
            "db-extensions-allowed: creates the extension hstore in the schema public",
        ],
    ),
    "a function of a schema of another name": (
        T + "CREATE SCHEMA a; CREATE SCHEMA b;" + PURGE.replace("purge", "a.purge")
        + "ALTER FUNCTION a.purge() SET SCHEMA b; GRANT EXECUTE ON FUNCTION b.purge() TO web;",
        [
            f"{DELETE}web → may EXECUTE b.purge() (SECURITY DEFINER of (whoever runs the "
            "migrations)), which deletes from public.t",
        ],
    ),
    "a trigger of another name": (
        T + ON_UPDATE + "CREATE TRIGGER x AFTER UPDATE ON t EXECUTE FUNCTION gone(); CREATE TRIGGER "
        "z AFTER DELETE ON t EXECUTE FUNCTION gone(); ALTER TRIGGER x ON t RENAME TO y; GRANT UPDATE "
        "ON t TO web;",
        [
            f"{DELETE}web → may UPDATE public.t → its trigger y runs public.gone() (SECURITY DEFINER "
            "of (whoever runs the migrations)), which deletes from public.t",
        ],
    ),
    "a trigger renamed, then gone": (
        T + ON_UPDATE + "CREATE TRIGGER x AFTER UPDATE ON t EXECUTE FUNCTION gone(); ALTER TRIGGER x "
        "ON t RENAME TO y; DROP TRIGGER y ON t; GRANT UPDATE ON t TO web;", [],
    ),
    "a rule renamed, then gone": (
        T + "CREATE TABLE u (a int); CREATE RULE r AS ON UPDATE TO u DO ALSO DELETE FROM t; CREATE "
        "RULE s AS ON INSERT TO u DO ALSO SELECT 1; ALTER RULE r ON u RENAME TO q; DROP RULE q ON u;"
        "GRANT UPDATE ON u TO web;", [],
    ),
    "a rule, its table of another name": (
        T + "CREATE TABLE u (a int); CREATE RULE r AS ON UPDATE TO u DO ALSO DELETE FROM t; ALTER "
        "TABLE t RENAME TO t2; GRANT UPDATE ON u TO web;",
        [f"{DELETE}web → may UPDATE public.u → the rule r deletes from public.t2"],
    ),
    "a policy renamed, then gone": (
        "CREATE TABLE doc (a int); ALTER TABLE doc ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON doc "
        "USING (true); CREATE POLICY k ON doc USING (a = 1); ALTER POLICY p ON doc RENAME TO q;"
        "DROP POLICY q ON doc;", [],
    ),
    "a policy renamed": (
        "CREATE TABLE doc (a int); ALTER TABLE doc ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON doc "
        "USING (true); ALTER POLICY p ON doc RENAME TO q;",
        ["db-row-security: has the policy q on public.doc let all through"],
    ),
    "a policy made narrower": (
        "CREATE TABLE doc (a int); ALTER TABLE doc ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON doc "
        "USING (true); ALTER POLICY p ON doc USING (a = 1);", [],
    ),
    "a policy that restricts": (
        "CREATE TABLE doc (a int); ALTER TABLE doc ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON doc "
        "AS RESTRICTIVE USING (true);", [],
    ),
    "policies that are true by and by": (
        "CREATE TABLE doc (a int); ALTER TABLE doc ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY p1 ON doc USING (a = 1 OR true); CREATE POLICY p2 ON doc USING (true AND 't');"
        "CREATE POLICY p3 ON doc USING ('true'::bool); CREATE POLICY p4 ON doc USING (a = 1 AND true);"
        "CREATE POLICY p5 ON doc USING (NOT true); CREATE POLICY p6 ON doc USING (1 = 2);"
        "CREATE POLICY p7 ON doc USING (1 <> 1); CREATE POLICY p8 ON doc USING (a = a);"
        "CREATE POLICY p9 ON doc USING ('f'::bool); CREATE POLICY p10 ON doc USING (true = true);",
        [
            "db-row-security: has the policy p1 on public.doc let all through",
            "db-row-security: has the policy p3 on public.doc let all through",
            "db-row-security: has the policy p10 on public.doc let all through",
        ],
    ),
    "a table that shows more than one": (
        T + ON_UPDATE + "CREATE TABLE u (a int); CREATE TRIGGER x AFTER UPDATE ON t EXECUTE FUNCTION "
        "gone(); CREATE VIEW v AS SELECT t.a FROM t, u; GRANT UPDATE ON v TO web;", [],
    ),
    "dropped with its owner": (
        "SET ROLE g_owner; CREATE VIEW v AS SELECT 1; CREATE VIEW w AS SELECT 1; GRANT DELETE ON v TO "
        "web; RESET ROLE; DROP OWNED BY g_owner;",
        ["db-migrations-keep-data: drops public.v", "db-migrations-keep-data: drops public.w"],
    ),
    "what stays of others": (
        T + AUDIT + PURGE + "GRANT DELETE ON t TO web; GRANT EXECUTE ON FUNCTION purge() TO web;"
        "CREATE SCHEMA s AUTHORIZATION web; ALTER DEFAULT PRIVILEGES GRANT DELETE ON TABLES TO web;"
        "GRANT UPDATE (a) ON audit_log TO web; DROP OWNED BY other_owner;",
        [
            f"{DELETE}web → is granted DELETE on public.t",
            f"{DELETE}web → owns schema s: an owner can drop all that is in it",
            f"{DELETE}web → is granted DELETE on each table that (whoever runs the migrations) "
            "creates",
            f"{DELETE}web → may EXECUTE public.purge() (SECURITY DEFINER of (whoever runs the "
            "migrations)), which deletes from public.t",
            "db-audit-append-only: lets web UPDATE public.audit_log",
        ],
    ),
    "what goes with a role": (
        T + AUDIT + "GRANT DELETE ON t TO web; CREATE SCHEMA s AUTHORIZATION web; ALTER DEFAULT "
        "PRIVILEGES GRANT DELETE ON TABLES TO web; ALTER DEFAULT PRIVILEGES FOR ROLE web GRANT "
        "DELETE ON TABLES TO x; GRANT UPDATE (a) ON audit_log TO web; DROP OWNED BY web;",
        [],
    ),
    "all of one schema and kind": (
        "CREATE SCHEMA s; CREATE TABLE s.t (a int); CREATE SEQUENCE s.q;" + T + "GRANT DELETE ON ALL "
        "TABLES IN SCHEMA s TO web; GRANT SELECT ON ALL SEQUENCES IN SCHEMA s TO web;",
        [
            f"{DELETE}web → is granted DELETE on s.t",
            f"{DELETE}web → is granted DELETE on s.*",
        ],
    ),
    "functions of one schema": (
        T + "CREATE SCHEMA s;" + PURGE + "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA s TO web;", [],
    ),
    "given away in place": (
        T + "CREATE SCHEMA s;\nALTER SCHEMA s OWNER TO web;", [
            f"{DELETE}web → owns schema s: an owner can drop all that is in it",
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_exactly_this_is_told(name: str) -> None:
    text, expected = EXACT[name]
    assert found(text) == expected


PLACES = {
    T + "GRANT DELETE ON t TO web;\nGRANT DELETE ON t TO web;": 2,
    "CREATE ROLE x LOGIN;\nALTER ROLE x SUPERUSER;": 2,
    "GRANT a TO b;\nGRANT pg_write_all_data TO y;\nGRANT a TO c;": 2,
    "CREATE SCHEMA s;\nALTER SCHEMA s OWNER TO web;": 2,
    "CREATE TABLE t (a int);\nALTER TABLE t OWNER TO web;": 2,
    "CREATE TABLE t (a int);\nREASSIGN OWNED BY CURRENT_USER TO web;": 2,
    T.strip() + PURGE.replace("\n", "") + "\nALTER FUNCTION purge() OWNER TO x_owner;\nGRANT EXECUTE "
    "ON FUNCTION purge() TO web;": 2,
}  # fmt: skip


@pytest.mark.parametrize("text", PLACES)
def test_places_are_where_it_is_said(text: str) -> None:
    lines = {one.urn for one in judged(text) if one.rule.id == "db-app-cannot-delete"}
    assert f"1.sql:{PLACES[text]}" in lines
    if "GRANT DELETE ON t TO web;" in text:
        assert lines == {"1.sql:2"}  # where it was said first


def test_places_without_a_line_are_their_source() -> None:
    assert str(Place("urn")) == "urn"
    assert str(Place("1.sql", 3)) == "1.sql:3"


BLOCKS: dict[str, tuple[str, list[str]]] = {
    "ELSIF": ("IF a THEN NULL; ELSIF b THEN {}; END IF;", [DELETE]),
    "ELSE": ("IF a THEN NULL; ELSE {}; END IF;", [DELETE]),
    "CASE": ("CASE WHEN true THEN {}; END CASE;", [DELETE]),
    "CASE ELSE": ("CASE WHEN true THEN NULL; ELSE {}; END CASE;", [DELETE]),
    "LOOP": ("LOOP {}; EXIT; END LOOP;", [DELETE]),
    "WHILE": ("WHILE true LOOP {}; END LOOP;", [DELETE]),
    "FOR": ("FOR i IN 1..2 LOOP {}; END LOOP;", [DELETE]),
    "FOR SELECT": ("FOR r IN SELECT 1 LOOP {}; END LOOP;", [DELETE]),
    "FOR EXECUTE": ("FOR r IN EXECUTE 'SELECT 1' LOOP {}; END LOOP;", [DELETE]),
    "FOREACH": ("FOREACH i IN ARRAY ARRAY[1] LOOP {}; END LOOP;", [DELETE]),
    "block": ("BEGIN {}; END;", [DELETE]),
    "nested": ("IF a THEN IF b THEN {}; END IF; END IF;", [DELETE]),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_every_branch_of_a_block_is_read(name: str) -> None:
    body = BLOCKS[name][0].format("GRANT DELETE ON t TO web")
    declared = "DECLARE r record; i int; a bool; b bool;"
    assert found(f"{T}DO $$ {declared} BEGIN {body} END $$;") == [
        f"{DELETE}web → is granted DELETE on public.t"
    ]
    taking = BLOCKS[name][0].format("REVOKE DELETE ON t FROM web")
    text = f"{T}GRANT DELETE ON t TO web; DO $$ {declared} BEGIN {taking} END $$;"
    certain = name == "block"
    assert found(text) == ([] if certain else [f"{DELETE}web → is granted DELETE on public.t"])


CALLS = {
    "condition": "IF other.f() THEN NULL; END IF;",
    "ELSIF": "IF true THEN NULL; ELSIF other.f() THEN NULL; END IF;",
    "CASE": "CASE other.f() WHEN 1 THEN NULL; END CASE;",
    "WHEN": "CASE WHEN other.f() THEN NULL; END CASE;",
    "WHILE": "WHILE other.f() LOOP NULL; END LOOP;",
    "FOR": "FOR i IN other.f()..3 LOOP NULL; END LOOP;",
    "FOR SELECT": "FOR r IN SELECT other.f() LOOP NULL; END LOOP;",
    "FOREACH": "FOREACH i IN ARRAY other.f() LOOP NULL; END LOOP;",
    "assignment": "i := other.f();",
    "PERFORM": "PERFORM other.f();",
    "RAISE": "RAISE NOTICE '%', other.f();",
    "ASSERT": "ASSERT other.f();",
    "SELECT INTO": "SELECT other.f() INTO i;",
}


@pytest.mark.parametrize("name", CALLS)
def test_every_expression_of_a_block_is_read(name: str) -> None:
    declared = "DECLARE r record; i int;"
    expected = ["db-sql-decidable: calls other.f, which is not defined here"]
    assert found(f"DO $$ {declared} BEGIN {CALLS[name]} END $$;") == expected
    assert found("DO $$ DECLARE i int := other.f(); BEGIN NULL; END $$;") == expected


BRANCHES: dict[str, tuple[str, list[str]]] = {
    "a setting": ("SET LOCAL lock_timeout = '1s'", []),
    "a search_path": ("SET search_path = x", ["db-sql-decidable"]),
    "a rename": ("ALTER TABLE t RENAME TO u", ["db-sql-decidable"]),
    "a column renamed": ("ALTER TABLE t RENAME COLUMN a TO c", []),
    "a constraint renamed": ("ALTER TABLE t RENAME CONSTRAINT a TO c", []),
    "a new function": ("CREATE FUNCTION g() RETURNS int LANGUAGE sql RETURN 1", []),
    "a function replaced": ("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1",
                            ["db-sql-decidable"]),
    "a view": ("CREATE VIEW v AS SELECT 1", []),
    "an owner of a schema": ("ALTER SCHEMA s OWNER TO x_owner", ["db-sql-decidable"]),
    "an owner of an index": ("ALTER INDEX i OWNER TO web", []),
    "an owner of a table": ("ALTER TABLE t OWNER TO x_owner", []),
    "a column": ("ALTER TABLE t ADD COLUMN tenant_id int", ["db-row-security"]),
    "a role dropped": ("DROP ROLE web", ["db-no-elevated-roles", "db-app-cannot-delete"]),
    "a role's attribute taken": ("ALTER ROLE web NOSUPERUSER",
                                 ["db-no-elevated-roles", "db-app-cannot-delete"]),
    "a default": ("ALTER DEFAULT PRIVILEGES GRANT DELETE ON TABLES TO y", ["db-app-cannot-delete"]),
    "a default taken": ("ALTER DEFAULT PRIVILEGES REVOKE DELETE ON TABLES FROM x",
                        ["db-app-cannot-delete"]),
    "a membership taken": ("REVOKE shop_owner FROM z", ["db-app-cannot-delete"]),
    "a type": ("CREATE TYPE e AS ENUM ('a')", []),
    "an extension": ("CREATE EXTENSION dblink SCHEMA x", ["db-extensions-allowed"]),
    "a view dropped": ("DROP VIEW IF EXISTS owned", ["db-app-cannot-delete"]),
}  # fmt: skip
BEFORE = {
    "a role dropped": "CREATE ROLE web LOGIN SUPERUSER;",
    "a role's attribute taken": "CREATE ROLE web LOGIN SUPERUSER;",
    "a default taken": "ALTER DEFAULT PRIVILEGES GRANT DELETE ON TABLES TO x;",
    "a membership taken": "CREATE ROLE shop_owner; GRANT shop_owner TO z; GRANT DELETE ON t TO "
    "shop_owner;",
    "a view dropped": "SET ROLE web; CREATE VIEW owned AS SELECT 1; RESET ROLE;",
}


@pytest.mark.parametrize("name", BRANCHES)
def test_what_a_branch_gives_counts_and_what_it_takes_does_not(name: str) -> None:
    statement, expected = BRANCHES[name]
    before = T + "CREATE SCHEMA s; CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1;"
    text = f"{before}{BEFORE.get(name, '')} DO $$ BEGIN IF true THEN {statement}; END IF; END $$;"
    assert {one.partition(": ")[0] for one in found(text)} == set(expected)


def test_a_row_security_that_a_branch_enables_is_not_counted() -> None:
    table = "CREATE TABLE d (tenant_id int);"
    branch = "DO $$ BEGIN IF true THEN {}; END IF; END $$;"
    text = table + branch.format("ALTER TABLE d ENABLE ROW LEVEL SECURITY, ADD COLUMN x int")
    assert len(found(text)) == 1
    on = table + "ALTER TABLE d ENABLE ROW LEVEL SECURITY;"
    assert found(on) == []
    assert len(found(on + branch.format("ALTER TABLE d DISABLE ROW LEVEL SECURITY"))) == 1


def test_inside_a_block_what_is_certain_takes_away() -> None:
    text = T + "GRANT DELETE ON t TO web; DO $$ BEGIN REVOKE DELETE ON t FROM web; END $$;"
    assert found(text) == []
    caught = text.replace("; END", "; EXCEPTION WHEN others THEN NULL; END")
    assert found(caught) == [f"{DELETE}web → is granted DELETE on public.t"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("DO $$ BEGIN ROLLBACK; END $$;", "is a DO block with a ROLLBACK"),
        ("DO $$ BEGIN COMMIT; END $$;", ""),
        ("DO $$ DECLARE c refcursor; BEGIN OPEN c FOR EXECUTE current_user; END $$;",
         "runs dynamic SQL"),
        ("DO $$ BEGIN oops; END $$;", "is a DO block"),
        ("DO $$ DECLARE q text := 'SELECT 1'; BEGIN EXECUTE q; END $$;", ""),
        ("DO $$ DECLARE q text := 'oops'; BEGIN EXECUTE q; END $$;", "runs dynamic SQL"),
        ("DO $$ DECLARE q text; BEGIN q := 'SELECT 1'; EXECUTE q; END $$;", ""),
        ("DO $$ DECLARE q text := 'a'; BEGIN q := 'SELECT 1'; EXECUTE q; END $$;",
         "runs dynamic SQL"),
        ("DO $$ DECLARE q text := 'SELECT 1'; BEGIN CALL p(q); EXECUTE q; END $$;",
         "runs dynamic SQL"),
        ("DO $$ DECLARE q text := 'SELECT 1'; BEGIN GET DIAGNOSTICS q = ROW_COUNT; EXECUTE q; END "
         "$$;", "runs dynamic SQL"),
        ("DO $$ DECLARE q text := 'SELECT 1'; BEGIN FOREACH q IN ARRAY ARRAY['a'] LOOP EXECUTE q; "
         "END LOOP; END $$;", "runs dynamic SQL"),
        ("DO $$ DECLARE a text := 'SELECT '; q text := a || '1'; BEGIN EXECUTE q; END $$;", ""),
        ("DO $$ BEGIN EXECUTE concat('SELECT ', '1'); END $$;", ""),
        ("DO $$ BEGIN EXECUTE format('SELECT 1'); END $$;", ""),
        ("DO $$ BEGIN EXECUTE upper('SELECT 1'); END $$;", "runs dynamic SQL"),
        ("DO $$ BEGIN EXECUTE format(VARIADIC ARRAY['SELECT 1']); END $$;", "runs dynamic SQL"),
        ("DO $$ BEGIN EXECUTE concat('SELECT ', current_user); END $$;", "runs dynamic SQL"),
        ("DO $$ BEGIN EXECUTE format('SELECT %%, %1$L, %1$L', 1); END $$;", "runs dynamic SQL"),
        ("DO $$ BEGIN EXECUTE format('SELECT %1$L, %1$L, 5 %% 2', current_user); END $$;", ""),
        ("DO $$ BEGIN EXECUTE format('SELECT %2$L', 1); END $$;", "runs dynamic SQL"),
        ("DO $$ BEGIN EXECUTE format('SELECT %0$L', 1); END $$;", "runs dynamic SQL"),
        ("DO $$ BEGIN EXECUTE format('SELECT %-5s', 'a'); END $$;", "runs dynamic SQL"),
        ("DO $$ BEGIN EXECUTE format('SELECT %s', 'now()'); END $$;", ""),
        ("DO $$ BEGIN EXECUTE format('SELECT %L', 'it''s'); END $$;", ""),
        ("DO $$ BEGIN EXECUTE format('COMMENT ON TABLE %I IS %L', 'a\"b', 'x'); END $$;", ""),
        ("DO $$ BEGIN EXECUTE format('ANALYZE %s', 'a'::regclass); END $$;", ""),
        ("DO $$ BEGIN EXECUTE format('ANALYZE t%s', to_char(now(), 'YYYY_MM')); END $$;", ""),
        ("DO $$ BEGIN EXECUTE format('ANALYZE t%s', to_char(now(), 'Day')); END $$;",
         "runs dynamic SQL"),
        ("DO $$ BEGIN EXECUTE 'ANALYZE ' || quote_ident(current_user); END $$;", ""),
        ("DO $$ BEGIN EXECUTE 'SELECT ' || quote_literal(current_user); END $$;", ""),
        ("DO $$ BEGIN EXECUTE 'SELECT ' || quote_nullable('a'); END $$;", ""),
        ("DO $$ BEGIN EXECUTE 'SELECT 1' || 2; END $$;", "runs dynamic SQL"),
        ("DO $$ BEGIN EXECUTE 'SELECT 1' + '2'; END $$;", "runs dynamic SQL"),
        ("DO $$ BEGIN EXECUTE 'ANALYZE t'::text; END $$;", ""),
        ("DO $$ BEGIN EXECUTE 5::int; END $$;", "runs dynamic SQL"),
        ("DO $$ BEGIN EXECUTE format('SET ROLE %I', current_user); END $$;", "sets role to a name"),
        ("DO $$ BEGIN EXECUTE format('SET search_path = %I', current_user); END $$;",
         "sets search_path to a name"),
        ("DO $$ BEGIN EXECUTE format('ALTER ROLE x SET search_path = %I', current_user); END $$;",
         "sets search_path of"),
        ("DO $$ BEGIN EXECUTE format('ALTER TABLE %I RENAME TO b', current_user); END $$;",
         "renames what is not known"),
        ("DO $$ BEGIN EXECUTE format('ALTER ROLE %I RENAME TO b', current_user); END $$;",
         "renames what is not known"),
        ("DO $$ BEGIN EXECUTE format('CREATE RULE r AS ON UPDATE TO %I DO NOTHING', current_user); "
         "END $$;", "makes a rule for a table that is not known"),
        ("DO $$ BEGIN EXECUTE format('CREATE TRIGGER r AFTER UPDATE ON %I EXECUTE FUNCTION f()', "
         "current_user); END $$;", "makes a trigger with f on a table that is not known"),
    ],
)  # fmt: skip
def test_dynamic_sql_is_read_where_it_can_be(text: str, reason: str) -> None:
    told = [one for one in found(text) if one.startswith("db-sql-decidable")]
    assert bool(told) == bool(reason), told
    assert all(reason in one for one in told)


def of(text: str) -> set[str]:
    """Who holds what on tables without owning them, as "role privilege"."""
    database, _ = after(text)
    return {
        f"{one.role} {one.privilege}"
        for one in database.grants.values()
        if one.object.kind is Kind.TABLE and one.role != database.owner(one.object)
    }


CHAIN = (
    T
    + "GRANT DELETE, SELECT ON t TO a WITH GRANT OPTION; SET ROLE a; GRANT DELETE, SELECT ON t TO b;"
    "RESET ROLE;"
)


def test_what_was_passed_on_goes_with_what_it_came_from() -> None:
    assert of(CHAIN) == {"a DELETE", "a SELECT", "b DELETE", "b SELECT"}
    assert of(CHAIN + "REVOKE DELETE ON t FROM a CASCADE;") == {"a SELECT", "b SELECT"}
    assert of(CHAIN + "REVOKE GRANT OPTION FOR DELETE ON t FROM a CASCADE;") == {
        *("a DELETE", "a SELECT", "b SELECT"),
    }
    twice = CHAIN + (
        "GRANT DELETE ON t TO c WITH GRANT OPTION; SET ROLE c; GRANT DELETE ON t TO a WITH GRANT "
        "OPTION; RESET ROLE; REVOKE DELETE ON t FROM a;"
    )
    assert {"a DELETE", "b DELETE"} <= of(twice)


def test_what_nobody_passed_on_goes_without_cascade() -> None:
    text = (
        T + "GRANT DELETE, SELECT ON t TO a WITH GRANT OPTION; SET ROLE a; GRANT SELECT ON t TO b; "
        "RESET ROLE; GRANT DELETE ON t TO c; REVOKE DELETE ON t FROM a;"
    )
    assert of(text) == {"a SELECT", "b SELECT", "c DELETE"}
    assert after(text)[1].notes == []


def test_who_may_pass_on_the_most_is_the_grantor() -> None:
    text = (
        T + "GRANT SELECT ON t TO a WITH GRANT OPTION; GRANT SELECT, DELETE ON t TO b WITH GRANT "
        "OPTION; GRANT a TO m; GRANT b TO m; CREATE ROLE z; GRANT z TO m; SET ROLE m; GRANT SELECT, "
        "DELETE, INSERT ON t TO x;"
    )
    assert {one for one in of(text) if one.startswith("x")} == {"x SELECT", "x DELETE"}
    database, _ = after(text)
    assert {one.grantor for one in database.grants.values() if one.role == "x"} == {"b"}


def test_names_are_looked_up_where_the_session_looks() -> None:
    two = "CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE b.t (x int); SET search_path = a, b;"
    database, _ = after(two + "GRANT SELECT ON t TO web; CREATE TABLE t (x int);")
    assert [str(one.object) for one in database.grants.values() if one.role == "web"] == [
        "table b.t"
    ]
    assert "a.t" in database.relations
    database, session = after(two + "SET search_path TO DEFAULT; CREATE TABLE u (x int);")
    assert "public.u" in database.relations
    assert session.search_path == ("public",)
    database, _ = after(two + "RESET ALL; CREATE TABLE u (x int);")
    assert "public.u" in database.relations
    database, _ = after(
        "CREATE TEMP TABLE t (x int); CREATE TABLE public.t (x int); DELETE FROM t;"
    )
    assert {"pg_temp.t", "public.t"} <= database.relations.keys()
    _, session = after("BEGIN; SET LOCAL search_path = x; COMMIT;")
    assert session.search_path == ("public",)
    _, session = after("SELECT set_config('search_path', 'x, \"Y\"', false);")
    assert session.search_path == ("x", "Y")
    _, session = after("BEGIN; SELECT set_config('search_path', 'x', true); COMMIT;")
    assert session.search_path == ("public",)


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("SET ROLE web;", "web"),
        ("SET SESSION AUTHORIZATION web;", "web"),
        ("SET ROLE web; RESET ROLE;", "(x)"),
        ("SET ROLE web; SET ROLE NONE;", "(x)"),
        ("SET ROLE web; SET SESSION AUTHORIZATION DEFAULT;", "(x)"),
        ("SET ROLE web; DISCARD ALL;", "(x)"),
        ("SET ROLE web; DISCARD PLANS;", "web"),
        ("SET ROLE web; RESET statement_timeout;", "web"),
        ("SELECT set_config('role', 'web', false);", "web"),
        ("SELECT set_config('ROLE', 'web', false);", "web"),
        ("SELECT set_config('app.role', 'web', false);", "(x)"),
        ("BEGIN; SET LOCAL ROLE web; COMMIT;", "(x)"),
        ("BEGIN; SET LOCAL ROLE web; SET LOCAL ROLE job; COMMIT;", "(x)"),
        ("SET ROLE web; BEGIN; SET LOCAL ROLE job; END;", "web"),
        ("BEGIN; SET ROLE web; ROLLBACK;", "(x)"),
        ("BEGIN; SAVEPOINT a; SET ROLE web; SAVEPOINT a; ROLLBACK TO a; COMMIT;", "web"),
        ("BEGIN; SET ROLE web; SAVEPOINT a; ROLLBACK; COMMIT;", "(x)"),
    ],
)
def test_who_acts_is_followed(text: str, role: str) -> None:
    _, session = after(text)
    assert session.role == role
    assert session.notes == []


@pytest.mark.parametrize(
    "text",
    [
        "ROLLBACK;",
        "BEGIN; COMMIT; ROLLBACK;",
        "BEGIN; ROLLBACK TO a;",
        "BEGIN; SAVEPOINT b; ROLLBACK TO a;",
        "BEGIN; ROLLBACK; ROLLBACK;",
        "BEGIN; PREPARE TRANSACTION 'a';",
        "ROLLBACK PREPARED 'a';",
    ],
)
def test_what_cannot_be_undone_is_refused(text: str) -> None:
    _, session = after(text)
    assert [one.rule_id for one in session.notes] == ["db-sql-decidable"]


def test_a_savepoint_can_be_gone_back_to_twice() -> None:
    text = "GRANT DELETE ON t TO web; ROLLBACK TO a;"
    assert found(f"{T}BEGIN; SAVEPOINT a; {text}{text} COMMIT;") == []


def test_every_role_has_the_options_that_were_said() -> None:
    database, _ = after(
        "CREATE USER u; CREATE ROLE r NOINHERIT; CREATE GROUP g; CREATE ROLE a ADMIN u ROLE r IN ROLE "
        "g; ALTER ROLE u NOLOGIN; ALTER GROUP g ADD USER u; ALTER GROUP g DROP USER u;"
    )
    members: Any = {
        (one.group, one.member): (one.inherit, one.set, one.admin)
        for one in database.memberships.values()
    }
    assert members == {
        ("a", "u"): (True, True, True),
        ("a", "r"): (False, True, False),
        ("g", "a"): (True, True, False),
    }
    assert [one.login for one in database.roles.values()] == [False] * 4
