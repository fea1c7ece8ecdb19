"""Migrations of other tools and people: what passes, what does not, and by which rule."""

from __future__ import annotations

import pytest

from policies.evaluation import Kind, Verdict, evaluate
from policies.inventory import Stack
from policies.rules import Context
from policies.sql import migrations
from policies.sql.psql import directions, prepared
from tests.policies.sql_cases import GOOD, PG_DUMP, Case
from tests.policies.sql_cases_bad import BAD


def refused(case: Case) -> list[Verdict]:
    files = (("0001.sql", case),) if isinstance(case, str) else case
    found = evaluate(Stack([migrations(files)]), Context())
    return [one for one in found if one.kind is Kind.VIOLATION and one.blocks]


@pytest.mark.parametrize("name", GOOD)
def test_what_a_careful_person_lets_pass_passes(name: str) -> None:
    assert [one.message for one in refused(GOOD[name])] == []


@pytest.mark.parametrize("name", BAD)
def test_what_a_careful_person_refuses_is_refused(name: str) -> None:
    rule, case = BAD[name]
    assert rule in {one.rule.id for one in refused(case)}


def test_lines_are_those_of_the_file_whatever_psql_takes_out() -> None:
    text = "\\echo x\n" + PG_DUMP + "GRANT DELETE ON shop.orders TO web;\n"
    (verdict,) = refused(text)
    assert verdict.urn == f"0001.sql:{text.count(chr(10))}"
    assert prepared(text).text.count("\n") == text.count("\n")


def test_strings_and_comments_keep_their_backslashes() -> None:
    text = "SELECT '\\i', E'\\'\\\\i', $a$\\i;$a$, \"\\i\"; -- \\i\n/* \\i /* */ \\i */ SELECT 1;"
    assert prepared(text).text == text
    assert prepared(text).undecided == ()


def test_sections_are_split_and_keep_their_lines() -> None:
    text = "-- a\n-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;\n-- +goose Up\nSELECT 3;"
    up, down = directions(text)
    assert up.split("\n") == ["-- a", "-- +goose Up", "SELECT 1;", *[" " * 14, " " * 9],
                              "-- +goose Up", "SELECT 3;"]  # fmt: skip
    assert down.strip() == "-- +goose Down\nSELECT 2;"
    assert down.count("\n") == text.count("\n")
    assert directions("SELECT 1;") == ("SELECT 1;", "")


def test_limits_and_guards_are_advice() -> None:
    text = (
        "CREATE ROLE web LOGIN CONNECTION LIMIT 5; CREATE ROLE job LOGIN VALID UNTIL 'infinity' "
        "CONNECTION LIMIT -1; CREATE TABLE audit_log (a int);"
    )
    found = [
        one
        for one in evaluate(Stack([migrations([("1.sql", text)])]), Context())
        if one.kind is Kind.VIOLATION
    ]
    assert [(one.rule.id, one.blocks) for one in found] == [
        ("db-audit-guarded", False),
        ("db-login-roles-bounded", False),
        ("db-login-roles-bounded", False),
    ]
    assert "makes web without VALID UNTIL, statement_timeout;" in found[1].finding
    assert "makes job without CONNECTION LIMIT, VALID UNTIL, statement_timeout;" in found[2].finding
    assert "UPDATE, DELETE public.audit_log" in found[0].finding


BOUNDED = [
    "ALTER ROLE web SET statement_timeout = '30s';",
    "ALTER ROLE ALL SET statement_timeout = 30000;",
    "ALTER DATABASE shop SET statement_timeout = '1min';",
    "ALTER SYSTEM SET statement_timeout = '1min';",
]


@pytest.mark.parametrize("timeout", BOUNDED)
def test_a_limit_counts_wherever_it_is_set(timeout: str) -> None:
    role = "CREATE ROLE web LOGIN CONNECTION LIMIT 5 VALID UNTIL '2027-01-01';"
    assert advised(role) == ["db-login-roles-bounded"]
    assert advised(role + timeout) == []
    zero = timeout.replace("'30s'", "0").replace("30000", "'0'").replace("'1min'", "'0ms'")
    assert advised(role + timeout + zero) == ["db-login-roles-bounded"]
    assert advised(role.replace(" LOGIN", "")) == []
    assert advised(role + timeout + "ALTER ROLE web CONNECTION LIMIT -1;") != []


GUARD = str(GOOD["audit table, guarded"])
GUARDS = {
    "trigger": (GUARD, []),
    "IF on TG_OP": (
        GUARD.replace("  RAISE EXCEPTION 'audit_log is only added to';", "  IF TG_OP <> 'INSERT' "
                      "THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW;"), [],
    ),
    "RETURN NULL": (GUARD.replace("RAISE EXCEPTION 'audit_log is only added to'", "RETURN NULL"), []),
    "rule": (
        "CREATE TABLE audit_log (a int); CREATE RULE u AS ON UPDATE TO audit_log DO INSTEAD NOTHING;"
        "CREATE RULE d AS ON DELETE TO audit_log DO INSTEAD NOTHING;", [],
    ),
    "revoked from the owner": (
        "CREATE TABLE audit_log (a int); ALTER TABLE audit_log OWNER TO shop_owner; SET ROLE "
        "shop_owner; REVOKE UPDATE, DELETE ON audit_log FROM shop_owner;", [],
    ),
    "off and on again": (
        GUARD + "ALTER TABLE audit_log DISABLE TRIGGER keep; ALTER TABLE audit_log ENABLE TRIGGER "
        "keep; DROP TRIGGER IF EXISTS other ON audit_log;", [],
    ),
    "only a notice": (GUARD.replace("RAISE EXCEPTION", "RAISE NOTICE"), ["db-audit-guarded"]),
    "after": (GUARD.replace("BEFORE UPDATE", "AFTER UPDATE"), ["db-audit-guarded"]),
    "DELETE only": (GUARD.replace("UPDATE OR DELETE", "DELETE"), ["db-audit-guarded"]),
    "some columns": (GUARD.replace("BEFORE UPDATE", "BEFORE UPDATE OF what"), ["db-audit-guarded"]),
    "sometimes": (
        GUARD.replace("EACH ROW EXECUTE", "EACH ROW WHEN (false) EXECUTE"), ["db-audit-guarded"],
    ),
    "caught": (
        GUARD.replace("';\nEND", "';\nEXCEPTION WHEN others THEN RETURN OLD;\nEND"),
        ["db-audit-guarded"],
    ),
    "returned before": (
        GUARD.replace("  RAISE", "  RETURN NEW; RAISE"), ["db-audit-guarded"],
    ),
    "rule with a condition": (
        "CREATE TABLE audit_log (a int); CREATE RULE u AS ON UPDATE TO audit_log DO INSTEAD NOTHING;"
        "CREATE RULE d AS ON DELETE TO audit_log WHERE old.a > 1 DO INSTEAD NOTHING;",
        ["db-audit-guarded"],
    ),
    "view": ("CREATE VIEW audit_view AS SELECT 1 FROM t;", []),
    "temporary": ("CREATE TEMP TABLE audit_seen (a int);", []),
}  # fmt: skip


@pytest.mark.parametrize("name", GUARDS)
def test_audit_tables_are_guarded_from_their_owner(name: str) -> None:
    text, expected = GUARDS[name]
    assert advised(text) == expected


def advised(text: str) -> list[str]:
    found = evaluate(Stack([migrations([("1.sql", text)])]), Context())
    return [one.rule.id for one in found if one.kind is Kind.VIOLATION]
