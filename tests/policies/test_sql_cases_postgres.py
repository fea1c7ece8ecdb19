"""The same migrations in a real PostgreSQL 17: the model holds what its catalogue holds after them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql as composed

from localcloud.image import base_image
from policies.database.membership import Memberships
from policies.database.model import Database, Kind, Object, Place
from policies.database.privileges import holds
from policies.sql.interpreter import SqlFile, forward, run
from policies.sql.psql import prepared
from policies.sql.session import Session
from tests.operations import postgres_server
from tests.operations.postgres_server import SUPERUSER, PostgresServer
from tests.policies.sql_cases import GOOD, Case
from tests.policies.sql_cases_bad import BAD

pytestmark = pytest.mark.root

# Roles that cases only name.
NAMED = ("web", "shop_app", "shop_owner", "shop_retention", "shop_reader", "a", "other", "größe",
         "Web-App", "postgres", "keeper", "reports", "watcher", "rds_iam")  # fmt: skip
PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "TRIGGER", "MAINTAIN")
CASES: dict[str, Case] = {
    name: case
    for name, case in {**GOOD, **{f"bad: {name}": case for name, (_, case) in BAD.items()}}.items()
    if re.search("GRANT|OWNER|ROLE", str(case))
}
# As many as a stock PostgreSQL takes: the rest needs RDS's roles, extensions, or a table that
# another migration made.
AT_LEAST = 90


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    running = postgres_server.start(base_image(print), tmp_path_factory.mktemp("cases"))
    yield running
    running.stop()


def test_privileges_agree_after_every_case_that_postgresql_takes(server: PostgresServer) -> None:
    agreed: list[str] = []
    with server.superuser() as connection:
        for number, (name, case) in enumerate(CASES.items()):
            if _agrees(server, connection, f"case_{number}", case, name):
                agreed.append(name)
    assert len(agreed) >= AT_LEAST, sorted(CASES.keys() - set(agreed))


def _agrees(
    server: PostgresServer, admin: psycopg.Connection[Any], database: str, case: Case, name: str
) -> bool:
    """Whether PostgreSQL takes the case; asserts that the model says the same then."""
    files, _ = forward(
        [SqlFile(*one) for one in ((("1.sql", case),) if isinstance(case, str) else case)]
    )
    text = "\n".join(prepared(one.text).text for one in files)
    made = [one for one in NAMED if not re.search(rf"CREATE (?:ROLE|USER) \"?{one}\b", text)]
    before = {row[0] for row in admin.execute("SELECT rolname FROM pg_roles").fetchall()}
    for role in set(made) - before:
        admin.execute(composed.SQL("CREATE ROLE {}").format(composed.Identifier(role)))
    admin.execute(f"CREATE DATABASE {database}".encode())
    try:
        with server.superuser(database) as connection:
            try:
                for one in files:
                    for part in re.split(r"(?<=;)\s*(?=COPY )", prepared(one.text).text):
                        if not re.match(r"\s*COPY .*FROM stdin", part, re.I):
                            connection.execute(part.encode())
                        elif rest := part.partition(";")[2]:
                            connection.execute(rest.encode())
            except psycopg.Error:
                return False
            connection.execute("ROLLBACK")
            connection.execute("RESET ROLE")
            _compare(connection, files, made, before, name)
            return True
    finally:
        admin.execute(f"DROP DATABASE {database} WITH (FORCE)".encode())
        for (role,) in admin.execute("SELECT rolname FROM pg_roles").fetchall():
            if role not in before:
                admin.execute(
                    composed.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(
                        composed.Identifier(role)
                    )
                )


def _compare(
    connection: psycopg.Connection[Any],
    files: list[SqlFile],
    made: list[str],
    before: set[str],
    name: str,
) -> None:
    session = Session(Database(), SUPERUSER)
    session.database.role(SUPERUSER, Place("")).attributes.add("SUPERUSER")
    for role in made:
        session.database.role(role, Place(""))
    run(session, files, fresh_session_per_file=False)
    memberships = Memberships(session.database)
    branches = any("DO $$" in one.text for one in files)
    rows = connection.execute(
        """SELECT r.rolname, n.nspname || '.' || c.relname, p, has_table_privilege(r.oid, c.oid, p)
             FROM pg_roles r, pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
                  unnest(%s::text[]) p
            WHERE c.relkind IN ('r', 'v', 'm', 'p') AND r.rolname <> ALL(%s)
              AND NOT r.rolsuper AND n.nspname !~ '^(pg_|information_schema)'""",
        [list(PRIVILEGES), [*before]],
    ).fetchall()
    for role, table, privilege, expected in rows:
        found = holds(session.database, memberships, role, privilege, Object(Kind.TABLE, table))
        # A branch that was not taken counts as if it were.
        agrees = found >= expected if branches else found == expected
        assert agrees, f"{name}: {role} {privilege} {table}: PostgreSQL says {expected}"
    owners = connection.execute(
        """SELECT n.nspname || '.' || c.relname, pg_get_userbyid(c.relowner)
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'v', 'm', 'p') AND n.nspname !~ '^(pg_|information_schema)'"""
    ).fetchall()
    for table, owner in owners:
        known = session.database.relations.get(table)
        assert known is not None, f"{name}: {table} is not known"
        assert branches or known.owner == owner, (
            f"{name}: {table} is owned by {owner}, not {known.owner}"
        )
