"""The workload's own checks of a restored database: answers, errors, time, and no way to write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from operations.restore import workload_checks
from operations.restore.proof import Check, Proof
from tests.operations.postgres_server import PostgresServer
from workloads.contract import RestoreCheck

pytestmark = pytest.mark.root

USER, PASSWORD = "stranger_checker", "password-of-a-test"


@pytest.fixture
def shop(server: PostgresServer) -> Iterator[PostgresServer]:
    with server.superuser() as connection:
        connection.execute(f"CREATE ROLE {USER} SUPERUSER LOGIN PASSWORD '{PASSWORD}'".encode())
    with server.superuser("node_pass") as connection:
        connection.execute("CREATE SCHEMA shop")
        connection.execute("CREATE TABLE shop.orders (id int PRIMARY KEY, paid bool)")
        connection.execute("INSERT INTO shop.orders VALUES (1, true), (2, false), (3, NULL)")
    yield server
    with server.superuser("node_pass") as connection:
        connection.execute("DROP SCHEMA shop CASCADE")


def ask(server: PostgresServer, query: str, **more: Any) -> Check:
    proof = Proof("backup")
    check = RestoreCheck.model_validate({"name": "orders are whole", "query": query, **more})
    workload_checks.run(
        proof,
        [check],
        schema="shop",
        connect=lambda: server.endpoint.connect(USER, PASSWORD),
    )
    (found,) = proof.checks
    assert proof.proven == found.passed
    assert found.name == "workload: orders are whole"
    return found


def test_no_rows_is_what_a_check_expects_and_rows_are_not_shown(shop: PostgresServer) -> None:
    assert ask(shop, "SELECT id FROM orders WHERE id > 3").findings == ()
    found = ask(shop, "SELECT id, 'secret' FROM orders WHERE id > 1")
    assert found.examined == 2
    assert found.findings == ("orders are whole: 2 rows, none expected",)


def test_rows_are_compared_as_text_and_in_order(shop: PostgresServer) -> None:
    query = "SELECT id, paid, now() IS NULL FROM orders ORDER BY id"
    rows = [[1, True, False], [2, False, False], [3, None, False]]
    assert ask(shop, query, expect=rows).passed
    assert ask(shop, "SELECT sum(id)::numeric FROM orders", expect=[["6"]]).passed
    (line,) = ask(shop, query, expect=rows[:2]).findings
    assert line.startswith("orders are whole: found [['1', 'True', 'False'], ")
    assert line.endswith("expected [['1', 'True', 'False'], ['2', 'False', 'False']]")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("SELECT * FROM nowhere", 'relation "nowhere" does not exist'),
        ("SELECT pg_sleep(5)", "canceling statement due to statement timeout"),
        ("DELETE FROM orders", "cannot execute DELETE in a read-only transaction"),
        ("SELECT set_config('transaction_read_only', 'off', true)", "transaction read-write mode"),
        (
            "SELECT 1; COMMIT; DELETE FROM shop.orders",
            "cannot insert multiple commands into a prepared statement",
        ),
    ],
)
def test_what_cannot_be_asked_is_a_finding_and_changes_nothing(
    shop: PostgresServer, query: str, reason: str
) -> None:
    (line,) = ask(shop, query, timeout_seconds=1).findings
    assert line.startswith(f"orders are whole: could not be asked: {reason}")
    assert ask(shop, "SELECT count(*) FROM orders", expect=[[3]]).passed
