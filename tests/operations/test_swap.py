"""Two databases change places on a real server, and what an interruption leaves."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from operations.restore import databases
from tests.operations.postgres_server import PostgresServer

PRESENT, COMING = "node_pass", "node_pass_proven_20261122t100000"


@pytest.fixture
def coming(server: PostgresServer) -> PostgresServer:
    with server.superuser() as connection:
        connection.autocommit = True
        databases.drop(connection, COMING)
        connection.execute(f'CREATE DATABASE "{COMING}"'.encode())
    with server.superuser(COMING) as connection:
        connection.execute("CREATE TABLE restored ()")
    return server


def open_to_sessions(connection: psycopg.Connection[Any]) -> dict[str, bool]:
    rows = connection.execute(
        "SELECT datname, datallowconn FROM pg_database WHERE datname LIKE %s", (f"{PRESENT}%",)
    ).fetchall()
    return dict(rows)


def test_the_restored_one_comes_and_the_one_before_stays_closed(coming: PostgresServer) -> None:
    with coming.superuser() as connection:
        connection.autocommit = True
        with coming.superuser(PRESENT) as client:
            client.execute("SELECT")
            swapped = databases.swap(connection, PRESENT, COMING)
            with pytest.raises(psycopg.OperationalError):
                client.execute("SELECT")
        assert swapped.ended_sessions == 1
        assert databases.can_replace(PRESENT, swapped.aside)
        assert open_to_sessions(connection) == {PRESENT: True, swapped.aside: False}
        with coming.superuser(PRESENT) as client:
            client.execute("TABLE restored")
        databases.drop(connection, swapped.aside)


@pytest.mark.parametrize("after", ["the sessions were ended", "the first rename"])
def test_ctrl_c_leaves_the_present_database_open(
    coming: PostgresServer, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    renamed = databases.rename

    def interrupted(connection: psycopg.Connection[Any], old: str, new: str) -> None:
        if after == "the first rename" and old == PRESENT:
            renamed(connection, old, new)
        else:
            raise KeyboardInterrupt

    monkeypatch.setattr(databases, "rename", interrupted)
    with coming.superuser() as connection:
        connection.autocommit = True
        with pytest.raises(KeyboardInterrupt):
            databases.swap(connection, PRESENT, COMING)
        assert open_to_sessions(connection) == {PRESENT: True, COMING: True}
        databases.drop(connection, COMING)
    with coming.superuser(PRESENT) as client:
        client.execute("SELECT")
