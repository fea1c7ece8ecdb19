"""Details of the model: what was passed on, where names are looked up, who acts, what is undone."""

from __future__ import annotations

from typing import Any

import pytest

from policies.database.model import Kind
from tests.policies.sql_details import (
    T,
    after,
    found,
)


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
