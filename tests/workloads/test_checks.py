"""A workload's checks only ask, and say what they expect."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

import workloads
from tests.workloads.test_contract import manifest
from workloads import RestoreCheck, WorkloadContract, check_sql


def contract(*checks: dict[str, Any]) -> WorkloadContract:
    return WorkloadContract.model_validate(
        {**manifest(), "description": "A shop.", "checks": list(checks)}
    )


def refused(query: str) -> list[str]:
    return check_sql.refusals(contract({"name": "orders are whole", "query": query}))


def test_the_checks_of_every_workload_only_ask() -> None:
    for name in workloads.names():
        found = workloads.load(name)
        assert found.checks, f"{name} has none"
        assert check_sql.refusals(found) == []


@pytest.mark.parametrize(
    "query",
    [
        "SELECT id FROM orders WHERE total < 0",
        "WITH late AS (SELECT id FROM orders) SELECT count(*) FROM late;",
        "SELECT 1 UNION ALL SELECT 2",
        "SELECT count(*) FILTER (WHERE paid), max(at) OVER () FROM orders GROUP BY at",
        "VALUES (1)",
        "TABLE orders",
    ],
)
def test_a_question_is_accepted(query: str) -> None:
    assert refused(query) == []


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("DELETE FROM orders", "its query is DELETE; a check only asks: write a SELECT"),
        ("DROP TABLE orders", "its query is DROP; a check only asks"),
        ("SELECT 1; DELETE FROM orders", "has 2 statements"),
        ("-- nothing", "has 0 statements"),
        ("SELEC 1", "cannot be parsed"),
        ("SELECT 1 \0", "has a NUL character"),
        ("WITH gone AS (DELETE FROM orders RETURNING id) SELECT * FROM gone", "it changes rows"),
        ("WITH x AS (INSERT INTO a VALUES (1) RETURNING 1) SELECT 1", "it changes rows"),
        ("SELECT (WITH x AS (UPDATE a SET b = 1 RETURNING 1) SELECT 1)", "it changes rows"),
        ("SELECT * INTO other FROM orders", "SELECT INTO makes a table"),
        ("SELECT * FROM orders FOR UPDATE", "it locks rows"),
        ("SELECT * FROM (SELECT 1 FROM orders FOR KEY SHARE) x", "it locks rows"),
        ("SELECT nextval('orders_id_seq')", r"nextval\(\) does more than read"),
        ("SELECT 1 WHERE pg_catalog.PG_Terminate_Backend(1)", r"pg_terminate_backend\(\) does"),
        ("SELECT * FROM dblink('host=x', 'DELETE FROM a') AS t(i int)", r"dblink\(\) does more"),
        ("SELECT lo_export(1, '/tmp/x')", r"lo_export\(\) does more than read"),
        ("SELECT set_config('transaction_read_only', 'off', false)", r"set_config\(\) does"),
        ("EXPLAIN ANALYZE DELETE FROM orders", "its query is EXPLAIN"),
        ("COPY (SELECT 1) TO PROGRAM 'sh'", "its query is COPY"),
    ],
)
def test_a_query_that_does_more_is_refused_by_name(query: str, reason: str) -> None:
    (line,) = refused(query)
    assert line.startswith("checks: 'orders are whole' refused, ")
    assert_matches(reason, line)


def assert_matches(pattern: str, text: str) -> None:
    import re

    assert re.search(pattern, text), text


@pytest.mark.parametrize(
    ("check", "message"),
    [
        ({"name": "", "query": "SELECT 1"}, "at least 1 character"),
        ({"name": "a", "query": "SELECT 1", "expect": "rows"}, "no rows"),
        ({"name": "a", "query": "SELECT 1", "expect": []}, "expects no rows; write it so: no rows"),
        ({"name": "a", "query": "SELECT 1", "timeout_seconds": 601}, "less than or equal to 600"),
        ({"name": "a", "query": "SELECT 1", "sql": "x"}, "Extra inputs are not permitted"),
    ],
)
def test_a_check_of_another_shape_is_refused(check: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        RestoreCheck.model_validate(check)


def test_a_name_stands_once() -> None:
    one = {"name": "orders are whole", "query": "SELECT 1"}
    with pytest.raises(ValidationError, match="'orders are whole' is listed twice"):
        contract(one, one)
