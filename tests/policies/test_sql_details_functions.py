"""Conditions about functions, what calls them unseen, COPY, and what a session is set to."""

from __future__ import annotations

import pytest

from policies.database.migrations import migrations
from policies.evaluation import evaluate
from policies.inventory import Stack
from policies.rules import Context
from tests.policies.sql_details import DELETE, SAFE, T, after, found
from tests.policies.test_sql_details_more import CLOSED, undone

F = "CREATE FUNCTION f(int, int) RETURNS int LANGUAGE sql AS 'SELECT 1';"
GONE = "CREATE FUNCTION f(int, int) RETURNS int LANGUAGE sql AS 'DELETE FROM public.t RETURNING 1';"
OPEN = GONE.replace("AS 'DELETE", f"{SAFE} AS 'DELETE")

SQL: dict[str, list[str]] = {
    "CREATE TYPE shell;": [],
    "CREATE TYPE pair AS (a int, b int);": [],
    "CREATE TYPE own (INPUT = i, OUTPUT = o);": ["db-sql-decidable: defines a type of functions"],
    "CREATE COLLATION c FROM \"C\";": [],
    "CREATE TEXT SEARCH DICTIONARY d (TEMPLATE = simple);": [],
    F + "CREATE OPERATOR @+ (PROCEDURE = f, LEFTARG = int, RIGHTARG = int);": [],
    "CREATE OPERATOR @+ (FUNCTION = pg_catalog.int4pl, LEFTARG = int, RIGHTARG = int);": [],
    "CREATE OPERATOR @+ (FUNCTION = f, LEFTARG = int, RIGHTARG = int);": [
        "db-sql-decidable: makes an operator, which calls f unseen"
    ],
    T + GONE + "CREATE OPERATOR @+ (FUNCTION = f, LEFTARG = int, RIGHTARG = int);": [
        "db-sql-decidable: makes an operator, which calls f unseen"
    ],
    F + "CREATE CAST (int AS text) WITH FUNCTION f(int, int);": [],
    "CREATE CAST (int AS text) WITHOUT FUNCTION;": [],
    T + GONE + "CREATE CAST (int AS text) WITH FUNCTION f(int, int);": [
        "db-sql-decidable: makes a cast, which calls f unseen"
    ],
    "CREATE EVENT TRIGGER e ON sql_drop EXECUTE FUNCTION nobody();": [
        "db-sql-decidable: makes an event trigger, which runs nobody at every change"
    ],
    "COPY t TO STDOUT;": [],
    "COPY (SELECT 1) TO STDOUT;": [],
    "COPY (DELETE FROM t RETURNING 1) TO STDOUT;": [
        "db-migrations-keep-data: deletes from public.t"
    ],
    "EXPLAIN (ANALYZE false, COSTS) SELECT other.f();": [
        "db-sql-decidable: calls other.f, which is not defined here"
    ],
    "EXPLAIN SELECT other.f();": [],
    "CREATE TABLE x AS SELECT other.f();": [
        "db-sql-decidable: calls other.f, which is not defined here"
    ],
    "SELECT other.f() INTO x;": ["db-sql-decidable: calls other.f, which is not defined here"],
    "TRUNCATE a, b;": [
        "db-migrations-keep-data: empties public.a", "db-migrations-keep-data: empties public.b",
    ],
    "DELETE FROM a; DELETE FROM django_migrations;": [
        "db-migrations-keep-data: deletes from public.a"
    ],
    "ALTER FUNCTION f(int) OWNER TO web;": [
        "db-sql-decidable: names the function f, which is not created here"
    ],
    "CREATE FUNCTION g() RETURNS int LANGUAGE sql SET role = x AS 'SELECT 1';": [
        "db-sql-decidable: makes a function that changes role"
    ],
    "SET session_replication_role = origin; RESET session_replication_role;": [],
    "SET session_replication_role TO DEFAULT;": [],
    "SET session_replication_role = 'local';": [
        "db-sql-decidable: switches triggers off (session_replication_role)"
    ],
    "ALTER ROLE web SET session_preload_libraries = 'x';": [
        "db-sql-decidable: sets session_preload_libraries, what every session of a role begins with"
    ],
    "ALTER ROLE web RESET ALL;": [],
    "ALTER DATABASE d RESET role;": [],
    "ALTER DATABASE d SET role = 'x';": [
        "db-sql-decidable: sets role, what every session begins with"
    ],
    "ALTER SYSTEM RESET ALL;": [],
    "ALTER SYSTEM SET work_mem = '4MB';": [],
    "SELECT set_config('search_path', 'x', false), set_config('a.b', current_user, false);": [],
    "SELECT set_config('session_replication_role', 'replica', false);": [
        "db-sql-decidable: switches triggers off (session_replication_role)"
    ],
    "SELECT set_config(current_user, 'x', false);": [
        "db-sql-decidable: calls set_config, which may run or set anything"
    ],
}  # fmt: skip


@pytest.mark.parametrize("text", SQL)
def test_statements(text: str) -> None:
    assert found(text) == SQL[text]


@pytest.mark.parametrize("name", ["total", "s.total"])
def test_aggregates_do_what_their_functions_do(name: str) -> None:
    make = f"CREATE SCHEMA s; CREATE AGGREGATE {name} (int) (SFUNC = f, STYPE = int);"
    use = f"CREATE FUNCTION purge() RETURNS bigint LANGUAGE sql {SAFE} AS 'SELECT {name}(1)'; {CLOSED}"
    assert found(T + F + make + use) == []
    (told,) = found(T + GONE + make + use)
    full = name if "." in name else f"public.{name}"
    assert f"which calls {full}(aggregate), which calls public.f(int4,int4), which deletes" in told
    final = make.replace("SFUNC = f", "SFUNC = pg_catalog.int4pl, FINALFUNC = f")
    assert len(found(T + GONE + final + use)) == 1


def test_rows_that_are_copied_set_off_triggers() -> None:
    dynamic = (
        "CREATE FUNCTION x() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE current_user; "
        "RETURN NEW; END $$; CREATE TRIGGER x AFTER INSERT ON t EXECUTE FUNCTION x();"
    )
    assert found(T + dynamic + "COPY t TO STDOUT;") == []
    (told,) = found(T + dynamic + "COPY t FROM STDIN;\n1\n\\.\n")
    assert "sets off the trigger x of public.t, which calls" not in told
    assert "sets off the trigger x of public.t, which runs dynamic SQL" in told
    (told,) = found(T + dynamic + "\\copy t (a) from 'x.csv' csv\n")
    assert "runs dynamic SQL" in told


def test_sections_that_go_back_are_judged() -> None:
    up = "-- +goose Up\nCREATE TABLE t (a int);\n-- +goose Down\n"
    assert undone(("1.sql", up + "DROP TABLE t;")) == []
    assert undone(("1.sql", up + "GRANT DELETE ON t TO web;")) == ["1.sql:4 db-app-cannot-delete"]


def test_functions_keep_their_owner_when_they_are_replaced() -> None:
    make = f"CREATE OR REPLACE FUNCTION purge() RETURNS void LANGUAGE sql {SAFE} AS 'SELECT 1';"
    text = T + make + CLOSED + make.replace("SELECT 1", "DELETE FROM public.t")
    (told,) = found(text)
    assert told.startswith(f"{DELETE}web → may EXECUTE public.purge()")
    assert found(T + make + CLOSED + make.replace(SAFE, "")) == []


PATHS = {
    "SET search_path FROM CURRENT": None,
    "SET search_path TO DEFAULT": None,
    "SET search_path = pg_catalog, pg_temp": (),
    "SET search_path = ''": (),
    "SET work_mem = '1MB' SET search_path = pg_temp": (),
    "SET work_mem = '1MB'": None,
}


@pytest.mark.parametrize("path", PATHS)
def test_the_search_path_of_a_function_is_its_own(path: str) -> None:
    make = f"CREATE FUNCTION purge() RETURNS int LANGUAGE sql SECURITY DEFINER {path} RETURN 1;"
    told = [one for one in found(make + CLOSED) if one.startswith("db-definer")]
    assert bool(told) == (PATHS[path] is None)
    reset = make + CLOSED + "ALTER FUNCTION purge() RESET ALL;"
    assert any(one.startswith("db-definer") for one in found(reset))
    other = make + CLOSED + "ALTER FUNCTION purge() RESET work_mem;"
    assert bool([one for one in found(other) if one.startswith("db-definer")]) == bool(told)


def test_names_of_functions_are_looked_up_in_the_search_path() -> None:
    text = (
        "CREATE SCHEMA a; SET search_path = a, public; CREATE FUNCTION f() RETURNS int LANGUAGE sql "
        "RETURN 1; GRANT EXECUTE ON FUNCTION f TO web; GRANT EXECUTE ON FUNCTION a.f() TO job;"
    )
    database, session = after(text)
    assert session.notes == []
    assert {one.role for one in database.grants.values() if one.object.name == "a.f()"} >= {
        "web",
        "job",
    }


SHOWN = (
    "CREATE TABLE doc (id int, tenant_id int); ALTER TABLE doc ENABLE ROW LEVEL SECURITY;"
    "CREATE {} v AS SELECT * FROM doc; GRANT SELECT ON v TO web;"
)


def test_materialized_views_show_what_their_owner_may_see() -> None:
    (told,) = found(SHOWN.format("MATERIALIZED VIEW"))
    assert told.startswith("db-row-security: shows web public.doc")
    # A table is what was in it then.
    assert found(SHOWN.format("TABLE")) == []


def test_options_of_views_are_taken_back_one_by_one() -> None:
    view = SHOWN.format("VIEW").replace("v AS", "v WITH (security_invoker, security_barrier) AS")
    assert found(view) == []
    assert found(view + "ALTER VIEW v RESET (security_barrier);") == []
    assert len(found(view + "ALTER VIEW v SET (security_invoker = false);")) == 1
    assert len(found(view + "ALTER VIEW v RESET (security_invoker);")) == 1


def test_extensions_stay_where_they_are() -> None:
    there = "CREATE EXTENSION citext SCHEMA x;"
    again = "CREATE EXTENSION IF NOT EXISTS citext SCHEMA public;"
    told = ["db-extensions-allowed: creates the extension citext in the schema public"]
    assert found(there + again) == []
    assert found(again) == told
    assert found(again.replace("citext", "hstore") + there) == [told[0].replace("citext", "hstore")]
    assert found("CREATE EXTENSION plpgsql; SET search_path = x; CREATE EXTENSION citext;") == []


def test_backups_read_every_row_and_others_do_not() -> None:
    manifest = {
        "schema": "w",
        "roles": [
            {"name": "w_owner", "kind": "owner", "login": False},
            {"name": "w_backup", "kind": "backup", "connection_limit": 2},
            {"name": "w_reader", "kind": "readonly", "connection_limit": 2},
        ],
    }
    table = "CREATE TABLE d (a int); ALTER TABLE d ENABLE ROW LEVEL SECURITY;"
    for policy, refused in (
        ("FOR SELECT TO w_backup USING (true)", False),
        ("FOR UPDATE TO w_backup USING (true)", True),
        ("TO w_backup USING (true)", True),
        ("FOR SELECT TO w_reader USING (true)", True),
        ("FOR SELECT TO nobody USING (true)", True),
        ("FOR INSERT TO w_reader WITH CHECK (true)", True),
        ("TO w_owner USING (true)", False),
    ):
        door = migrations([("1.sql", f"{table}CREATE POLICY p ON d {policy};")], manifest)
        told = [one for one in evaluate(Stack([door]), Context()) if one.blocks]
        assert bool(told) == refused, policy


def test_what_does_not_parse_is_told_with_the_parsers_words() -> None:
    assert found("SELECT 1 SELECT 2;") == [
        'db-sql-decidable: cannot be parsed: syntax error at or near "2"'
    ]


def test_data_may_end_with_the_file() -> None:
    assert found(T + "COPY t FROM stdin;\n1\tx y; z\n2") == []
    assert found(T + "COPY t FROM stdin;\n1\tx y; z\n\\.\nGRANT DELETE ON t TO web;") != []


def test_psql_copies_in_both_directions() -> None:
    dynamic = (
        "CREATE FUNCTION x() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE current_user; "
        "RETURN NEW; END $$; CREATE TRIGGER x AFTER INSERT ON t EXECUTE FUNCTION x();\n"
    )
    assert found(T + dynamic + "\\copy t to 'x.csv'\n") == []
    assert len(found(T + dynamic + "\\COPY t FROM 'x.csv'\n")) == 1


@pytest.mark.parametrize(
    ("command", "owner"),
    [
        ("\\c shop", "(x)"),
        ("\\connect shop -", "(x)"),
        ("\\c - web", "web"),
        ('\\connect shop "Web"', "Web"),
        ("\\c -reuse-previous=on shop", "(x)"),
    ],
)
def test_psql_connects_as_somebody(command: str, owner: str) -> None:
    database, session = after(f"SET ROLE other;\n{command}\nCREATE TABLE t (a int);")
    assert database.relations["public.t"].owner == owner
    assert session.notes == []


def test_psql_connects_as_nobody_knows_whom() -> None:
    for command in ("\\c shop user=web", "\\gdesc", "\\copy (SELECT 1) to program 'x'"):
        (told,) = found(f"SELECT 1;\n{command}\n")
        assert "has the psql command" in told


GROUP = (
    "CREATE ROLE g; CREATE ROLE a; CREATE ROLE b; CREATE ROLE c; GRANT g TO a WITH ADMIN OPTION;"
)
PASSED_ON = GROUP + "GRANT g TO b; SET ROLE a; GRANT g TO c; RESET ROLE;"
FAILS = "fails, because a has made c a member of g"
MEMBERS: dict[str, tuple[str, set[str], list[str]]] = {
    "given": (PASSED_ON, {"a", "b", "c"}, []),
    "taken, and what was passed on": (PASSED_ON + "REVOKE g FROM a CASCADE;", {"b"}, []),
    "taken, but passed on": (PASSED_ON + "REVOKE g FROM a;", {"a", "b", "c"}, [FAILS]),
    "option taken": (
        PASSED_ON + "REVOKE ADMIN OPTION FOR g FROM a CASCADE;", {"a", "b"}, [],
    ),
    "option taken, but passed on": (
        PASSED_ON + "REVOKE ADMIN OPTION FOR g FROM a;", {"a", "b", "c"}, [FAILS],
    ),
    "option taken that nobody used": (
        GROUP + "REVOKE ADMIN OPTION FOR g FROM a;", {"a"}, [],
    ),
    "another option taken": (
        PASSED_ON + "REVOKE INHERIT OPTION FOR g FROM a;", {"a", "b", "c"}, [],
    ),
    "taken from another": (PASSED_ON + "REVOKE g FROM b;", {"a", "c"}, []),
    "held twice, taken once": (
        PASSED_ON + "CREATE ROLE d; GRANT g TO d WITH ADMIN OPTION; GRANT g TO a WITH ADMIN OPTION "
        "GRANTED BY d; REVOKE g FROM a;", {"a", "b", "c", "d"}, [],
    ),
    "the other one, taken by name": (
        GROUP + "GRANT g TO b WITH ADMIN OPTION; GRANT g TO c GRANTED BY b; REVOKE g FROM c; "
        "REVOKE g FROM c GRANTED BY b;", {"a", "b"}, [],
    ),
    "dropped": (PASSED_ON + "DROP ROLE b;", {"a", "c"}, []),
    "another dropped": (PASSED_ON + "CREATE ROLE z; DROP ROLE z;", {"a", "b", "c"}, []),
    "the group dropped": (PASSED_ON + "DROP ROLE g;", set(), []),
}  # fmt: skip


@pytest.mark.parametrize("name", MEMBERS)
def test_memberships_are_those_of_postgresql(name: str) -> None:
    text, members, told = MEMBERS[name]
    database, session = after(text)
    assert {one.member for one in database.memberships.values() if one.group == "g"} == members
    assert [note.found for note in session.notes] == told


def test_whoever_administers_a_group_is_the_grantor() -> None:
    text = (
        GROUP
        + "GRANT a TO b; GRANT g TO b; CREATE ROLE h; GRANT h TO b WITH ADMIN OPTION; SET ROLE b;"
    )
    database, _ = after(text + "GRANT g TO c;")
    assert ("g", "c", "a") in database.memberships


def test_options_of_roles_are_read_in_any_order() -> None:
    database, session = after("CREATE ROLE g; CREATE ROLE x IN ROLE g NOINHERIT SYSID 5 LOGIN;")
    (member,) = database.memberships.values()
    assert (member.inherit, database.roles["x"].login, session.notes) == (False, True, [])


def test_types_are_named() -> None:
    told = ["db-no-grant-options: lets web pass USAGE on other s.mood on"]
    assert found("GRANT USAGE ON TYPE s.mood TO web WITH GRANT OPTION;") == told
    assert found("GRANT CREATE ON TABLESPACE fast TO web WITH GRANT OPTION;") == [
        "db-no-grant-options: lets web pass CREATE on other fast on"
    ]


def test_only_set_config_sets() -> None:
    _, session = after("SELECT format('role', 'web', false);")
    assert session.role == "(x)"


def test_the_owner_of_a_manifest_owns_its_schema() -> None:
    manifest = {
        "schema": "w",
        "roles": [
            {"name": "w_owner", "kind": "owner", "login": False},
            {"name": "w_app", "kind": "app", "connection_limit": 2},
        ],
    }
    door = migrations([("1.sql", "GRANT w_owner TO w_app;")], manifest)
    told = [one.finding for one in evaluate(Stack([door]), Context()) if one.blocks]
    assert any("is a member of w_owner → owns schema w: an owner can drop" in one for one in told)
    no_owner = {**manifest, "roles": manifest["roles"][1:]}
    door = migrations([("1.sql", "SELECT 1;")], no_owner)
    assert [one.finding for one in evaluate(Stack([door]), Context()) if one.blocks] == []
