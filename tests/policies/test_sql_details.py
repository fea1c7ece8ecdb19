"""Details of the model that one condition each decides: exact ways, places and what is told once."""

from __future__ import annotations

import pytest

from policies.database.model import Place
from tests.policies.sql_details import (
    AUDIT,
    DELETE,
    DOC,
    ON_UPDATE,
    PURGE,
    T,
    found,
    judged,
)

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
