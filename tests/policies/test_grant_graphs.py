"""Grant graphs that PostgreSQL 17 carried out, replayed in the model: it says the same.

`cases/grant_graphs.jsonl` is what `test_database_fuzz.py` recorded (PGKEEP_RECORD=FILE): in each
line statements in their order, and what the catalogue said after them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from policies.database.membership import Memberships
from policies.database.model import Database, Kind, Object, Place
from policies.database.privileges import holds
from policies.database.reach import paths
from policies.sql.interpreter import SqlFile, run
from policies.sql.session import Session

RECORDED = Path(__file__).parent / "cases" / "grant_graphs.jsonl"
GRAPHS = [json.loads(line) for line in RECORDED.read_text().splitlines()]
ROLES = [f"stranger_{number}" for number in range(6)]
PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "MAINTAIN")
SUPERUSER = "rdsadmin"


def replayed(statements: list[str]) -> Database:
    session = Session(Database(), SUPERUSER)
    session.database.role(SUPERUSER, Place("")).attributes.add("SUPERUSER")
    before = ["CREATE SCHEMA fz"]
    for role in ROLES:
        before += [f"CREATE ROLE {role} LOGIN", f"GRANT USAGE, CREATE ON SCHEMA fz TO {role}"]
    for text in [*before, *statements]:
        run(session, [SqlFile("graph.sql", text)], fresh_session_per_file=False)
    assert [note.found for note in session.notes if note.rule_id == "db-sql-decidable"] == []
    return session.database


@pytest.mark.parametrize("graph", GRAPHS, ids=range(len(GRAPHS)))
def test_the_model_holds_what_postgresql_held(graph: dict[str, Any]) -> None:
    database = replayed(graph["statements"])
    memberships = Memberships(database)
    tables = {row.split()[0]: row.split()[1] for row in graph["tables"]}
    known = {name: one for name, one in database.relations.items() if not name.endswith("*")}
    assert {name.partition(".")[2]: one.owner for name, one in known.items()} == tables
    held = {
        f"{role} {table} {privilege}"
        for role in ROLES
        for table in tables
        for privilege in PRIVILEGES
        if holds(database, memberships, role, privilege, Object(Kind.TABLE, f"fz.{table}"))
    }
    assert held == set(graph["privileges"])
    by_column = {
        f"{role} {table}"
        for role in ROLES
        for table in tables
        if f"{role} {table} UPDATE" in held
        or any(
            one.object.name == f"fz.{table}"
            and one.privilege == "UPDATE"
            and one.role in {*memberships.inherited(role), "PUBLIC"}
            for one in database.column_grants.values()
        )
    }
    assert by_column == set(graph["columns"])
    for kind, of in (("set", memberships.settable), ("inherit", memberships.inherited)):
        wanted = set(graph[kind])
        for role in ROLES:
            if f"{role} {role}" in wanted:  # superusers are not asked
                assert {f"{role} {one}" for one in of(role) if one in ROLES} == {
                    pair for pair in wanted if pair.startswith(f"{role} ")
                }
    public = any(
        one.role == "PUBLIC"
        and one.privilege in ("DELETE", "TRUNCATE")
        and not one.object.name.endswith("*")
        for one in database.grants.values()
    )
    for role in ROLES:
        found = [
            path
            for path in paths(database, role)
            if not any(word in path.text for word in ("creates", "TRIGGER", "fz.*"))
        ]
        assert bool(found or public) == (role in graph["reaching"]), role
