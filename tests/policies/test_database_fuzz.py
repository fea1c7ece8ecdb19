"""Random grant graphs: the model agrees with a real PostgreSQL 17 after the same statements."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from localcloud.image import base_image
from policies.database.membership import Memberships
from policies.database.model import DELETING, Database, Kind, Object, Place
from policies.database.privileges import holds
from policies.database.reach import paths
from policies.sql.interpreter import SqlFile, run
from policies.sql.session import Session
from tests.operations import postgres_server
from tests.operations.postgres_server import SUPERUSER, PostgresServer

pytestmark = pytest.mark.root

ROLES = [f"stranger_{number}" for number in range(6)]
TABLES = [f"t{number}" for number in range(4)]
# Another seed: PGKEEP_FUZZ_SEED.
SEQUENCES, LENGTH = 60, 50


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    running = postgres_server.start(base_image(print), tmp_path_factory.mktemp("grants"))
    yield running
    running.stop()


def statement(source: random.Random) -> str:
    """A random statement about roles, tables and privileges."""
    one, other = source.choice(ROLES), source.choice(ROLES)
    table = f"fz.{source.choice(TABLES)}"
    to = source.choice([*ROLES, *ROLES, "PUBLIC"])
    privileges = source.choice(
        ["DELETE", "TRUNCATE", "DELETE, TRUNCATE", "SELECT, DELETE", "ALL", "UPDATE (a), INSERT"]
    )
    options = ", ".join(
        f"{name} {source.choice(['TRUE', 'FALSE'])}"
        for name in source.sample(["INHERIT", "SET", "ADMIN"], source.randint(1, 3))
    )
    target = source.choice([table, table, f"TABLE {table}", "ALL TABLES IN SCHEMA fz"])
    owner = source.choice(["", f"FOR ROLE {other} "])
    schema = source.choice(["", "IN SCHEMA fz "])
    defaults = f"ALTER DEFAULT PRIVILEGES {owner}{schema}"
    name, weight = zip(
        *(
            (f"GRANT {one} TO {other} WITH {options}", 6),
            (f"GRANT {one} TO {other}", 3),
            (f"REVOKE {one} FROM {other} CASCADE", 2),
            (f"REVOKE {source.choice(['ADMIN', 'SET', 'INHERIT'])} OPTION FOR {one} FROM {other} "
             f"CASCADE", 2),
            (f"GRANT pg_write_all_data TO {one} WITH {options}", 1),
            (f"ALTER ROLE {one} {source.choice(['INHERIT', 'NOINHERIT'])}", 2),
            (f"ALTER ROLE {one} {source.choice(['SUPERUSER', 'NOSUPERUSER', 'NOSUPERUSER'])}", 1),
            (f"SET ROLE {one}", 4),
            ("RESET ROLE", 4),
            (f"CREATE TABLE {table} (a int)", 6),
            (f"ALTER TABLE {table} OWNER TO {one}", 3),
            (f"DROP TABLE {table}", 1),
            (f"ALTER TABLE {table} RENAME TO {source.choice(TABLES)}", 1),
            (f"GRANT {privileges} ON {target} TO {to}", 8),
            (f"GRANT {privileges} ON {target} TO {one} WITH GRANT OPTION", 4),
            (f"REVOKE {privileges} ON {target} FROM {to} {source.choice(['', 'CASCADE'])}", 4),
            (f"REVOKE GRANT OPTION FOR {privileges} ON {target} FROM {one} CASCADE", 2),
            (f"{defaults}GRANT {privileges} ON TABLES TO {to}", 3),
            (f"{defaults}REVOKE {privileges} ON TABLES FROM {to}", 2),
            (f"REASSIGN OWNED BY {one} TO {other}", 1),
            (f"DROP OWNED BY {one}", 1),
        ),
        strict=True,
    )  # fmt: skip
    return source.choices(name, weight)[0]


def start(connection: psycopg.Connection[Any]) -> Session:
    """Fresh roles and an empty schema, in the database and in the model."""
    connection.execute("RESET ROLE")
    connection.execute("DROP SCHEMA IF EXISTS fz CASCADE")
    connection.execute("ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM PUBLIC")
    for role in ROLES:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
            connection.execute(f"DROP OWNED BY {role} CASCADE".encode())
            connection.execute(f"DROP ROLE {role}".encode())
    session = Session(Database(), SUPERUSER)
    session.database.role(SUPERUSER, Place("")).attributes.add("SUPERUSER")
    both(connection, session, "CREATE SCHEMA fz")
    for role in ROLES:
        assert both(connection, session, f"CREATE ROLE {role} LOGIN")
        both(connection, session, f"GRANT USAGE, CREATE ON SCHEMA fz TO {role}")
    return session


def both(connection: psycopg.Connection[Any], session: Session, text: str) -> bool:
    """Carry a statement out where PostgreSQL takes it; whether it did."""
    try:
        connection.execute(text.encode())
    except psycopg.Error:
        return False
    run(session, [SqlFile("fuzz.sql", text)], fresh_session_per_file=False)
    assert [note.found for note in session.notes if note.rule_id == "db-sql-decidable"] == [], text
    return True


REACHABLE = """
WITH RECURSIVE identity(name) AS (
    SELECT oid FROM pg_roles WHERE rolname = %(role)s
    UNION SELECT m.roleid FROM pg_auth_members m JOIN identity i ON m.member = i.name
           WHERE m.inherit_option OR m.set_option OR m.admin_option
)
SELECT bool_or(r.rolsuper OR r.rolname = 'pg_write_all_data')
    OR bool_or(EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = 'fz'::regnamespace
        AND c.relkind = 'r' AND (c.relowner = i.name
            OR has_table_privilege(i.name, c.oid, 'DELETE')
            OR has_table_privilege(i.name, c.oid, 'TRUNCATE'))))
    OR bool_or(EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = 'fz' AND n.nspowner = i.name))
  FROM identity i JOIN pg_roles r ON r.oid = i.name
"""


def compare(connection: psycopg.Connection[Any], session: Session, log: list[str]) -> int:
    """Compare every pair of role and table, and of role and role; how many were compared."""
    database, told = session.database, "\n".join(log)
    memberships = Memberships(database)
    count = 0
    rows = connection.execute(
        """SELECT r.rolname, c.relname, p, has_table_privilege(r.oid, c.oid, p)
             FROM pg_roles r, pg_class c, unnest(%s::text[]) p
            WHERE r.rolname = ANY(%s) AND c.relnamespace = 'fz'::regnamespace AND c.relkind = 'r'""",
        [list(DELETING), ROLES],
    ).fetchall()
    acl = connection.execute(
        "SELECT relname, relowner::regrole::text, relacl::text FROM pg_class "
        "WHERE relnamespace = 'fz'::regnamespace AND relkind = 'r'"
    ).fetchall()
    members = connection.execute(
        "SELECT roleid::regrole::text, member::regrole::text, grantor::regrole::text, "
        "inherit_option, set_option, admin_option FROM pg_auth_members "
        "WHERE member::regrole::text ~ 'stranger'"
    ).fetchall()
    told += f"\n{acl}\n{members}"
    for role, table, privilege, expected in rows:
        found = holds(database, memberships, role, privilege, Object(Kind.TABLE, f"fz.{table}"))
        assert found == expected, f"{role} {privilege} {table}: {expected} after\n{told}"
        count += 1
    known = {name for name in database.relations if not name.endswith("*")}
    assert known == {f"fz.{table}" for _, table, _, _ in rows}, told
    pairs = connection.execute(
        """SELECT a.rolname, b.rolname, pg_has_role(a.oid, b.oid, 'SET'),
                  pg_has_role(a.oid, b.oid, 'USAGE')
             FROM pg_roles a, pg_roles b
            WHERE a.rolname = ANY(%(r)s) AND b.rolname = ANY(%(r)s) AND NOT a.rolsuper""",
        {"r": ROLES},
    ).fetchall()
    for role, other, may_set, inherits in pairs:
        assert (other in memberships.settable(role)) == may_set, f"{role} SET {other}\n{told}"
        assert (other in memberships.inherited(role)) == inherits, f"{role} as {other}\n{told}"
        count += 2
    for role in ROLES:
        row = connection.execute(REACHABLE, {"role": role}).fetchone()
        # What is only going to be, or is no privilege to delete, PostgreSQL has no function for.
        found = [
            path.text
            for path in paths(database, role)
            if not any(word in path.text for word in ("creates", "TRIGGER", "fz.*"))
        ]
        assert row is not None
        assert bool(found or _public_may_delete(database)) == bool(row[0]), (
            f"{role} reaches a deletion: {row[0]}, {found}\n{told}"
        )
        count += 1
    return count


def _public_may_delete(database: Database) -> bool:
    """Whether PUBLIC may delete from a table that is there."""
    return any(
        one.role == "PUBLIC" and one.privilege in DELETING and not one.object.name.endswith("*")
        for one in database.grants.values()
    )


def catalogue(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """What PostgreSQL says of every role and table, as lists that JSON can hold."""
    rows = connection.execute(
        """SELECT r.rolname, c.relname, p
             FROM pg_roles r, pg_class c,
                  unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,MAINTAIN}'::text[]) p
            WHERE r.rolname = ANY(%s) AND c.relnamespace = 'fz'::regnamespace AND c.relkind = 'r'
              AND has_table_privilege(r.oid, c.oid, p) ORDER BY 1, 2, 3""",
        [ROLES],
    ).fetchall()
    columns = connection.execute(
        """SELECT r.rolname, c.relname FROM pg_roles r, pg_class c
            WHERE r.rolname = ANY(%s) AND c.relnamespace = 'fz'::regnamespace AND c.relkind = 'r'
              AND has_column_privilege(r.oid, c.oid, 'a', 'UPDATE') ORDER BY 1, 2""",
        [ROLES],
    ).fetchall()
    tables = connection.execute(
        """SELECT relname, relowner::regrole::text FROM pg_class
            WHERE relnamespace = 'fz'::regnamespace AND relkind = 'r' ORDER BY 1"""
    ).fetchall()
    pairs = connection.execute(
        """SELECT a.rolname, b.rolname, pg_has_role(a.oid, b.oid, 'SET'),
                  pg_has_role(a.oid, b.oid, 'USAGE')
             FROM pg_roles a, pg_roles b
            WHERE a.rolname = ANY(%(r)s) AND b.rolname = ANY(%(r)s) AND NOT a.rolsuper
            ORDER BY 1, 2""",
        {"r": ROLES},
    ).fetchall()
    reaching = [
        role
        for role in ROLES
        if (row := connection.execute(REACHABLE, {"role": role}).fetchone()) and row[0]
    ]
    return {
        "privileges": [" ".join(row) for row in rows],
        "columns": [" ".join(row) for row in columns],
        "tables": [" ".join(row) for row in tables],
        "set": [f"{one} {other}" for one, other, may_set, _ in pairs if may_set],
        "inherit": [f"{one} {other}" for one, other, _, inherits in pairs if inherits],
        "reaching": reaching,
    }


def test_random_grant_graphs_agree_with_postgresql(server: PostgresServer) -> None:
    source = random.Random(int(os.environ.get("PGKEEP_FUZZ_SEED", "17")))
    compared = carried_out = 0
    recording: list[dict[str, Any]] = []
    with server.superuser() as connection:
        for _ in range(SEQUENCES):
            session = start(connection)
            log: list[str] = []
            for _ in range(LENGTH):
                text = statement(source)
                if both(connection, session, text):
                    log.append(text)
            connection.execute("RESET ROLE")
            recording.append({"statements": log.copy(), **catalogue(connection)})
            carried_out += len(log)
            compared += compare(connection, session, log)
    if "PGKEEP_RECORD" in os.environ:
        # For test_grant_graphs.py, which needs no server.
        lines = [json.dumps(one) for one in recording]
        Path(os.environ["PGKEEP_RECORD"]).write_text("\n".join(lines) + "\n")
    assert carried_out > SEQUENCES * LENGTH * 0.5
    print(f"{carried_out} statements, {compared} comparisons")
