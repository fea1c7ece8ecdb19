"""Two databases change places on a real server, and what an interruption leaves."""

from __future__ import annotations

import logging
from typing import Any

import psycopg
import pytest

from operations.errors import OperationError
from operations.restore import databases
from pgkeep.deployed import connector
from pgkeep.restore_target import finished_or_dropped
from tests.operations.postgres_server import MASTER, MASTER_PASSWORD, PostgresServer

PRESENT, COMING = "node_pass", "node_pass_proven_20261122t100000"

INHERITS = """SELECT inherit_option FROM pg_auth_members
  WHERE roleid = 'an_owner'::regrole AND grantor = member"""


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


@pytest.mark.parametrize("answer_lost", [False, True])
def test_a_lost_session_leaves_no_database_closed(
    coming: PostgresServer, monkeypatch: pytest.MonkeyPatch, answer_lost: bool
) -> None:
    """A failover between the two statements: nobody could connect to a database that is closed."""
    renamed = databases.rename

    def lost(connection: psycopg.Connection[Any], old: str, new: str) -> None:
        renamed(connection, old, new)
        if old == PRESENT:
            return
        with coming.superuser() as other:
            if answer_lost:
                connection.execute("COMMIT")
            pid = connection.info.backend_pid
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))

    monkeypatch.setattr(databases, "rename", lost)
    with coming.superuser() as connection:
        connection.autocommit = True
        if answer_lost:
            aside = databases.swap(connection, PRESENT, COMING).aside
        else:
            aside = ""
            with pytest.raises(OperationError, match="is unchanged and open again"):
                databases.swap(connection, PRESENT, COMING)
    monkeypatch.undo()
    with coming.superuser() as connection:
        connection.autocommit = True
        expected = {PRESENT: True, aside: False} if answer_lost else {PRESENT: True, COMING: True}
        assert open_to_sessions(connection) == expected
        databases.drop(connection, aside or COMING)


def test_memberships_end_although_the_session_was_lost(server: PostgresServer) -> None:
    with server.endpoint.connect(MASTER, MASTER_PASSWORD) as connection:
        connection.autocommit = True
        connection.execute("CREATE ROLE an_owner")
        with (
            pytest.raises(ValueError, match="what ended the restore"),
            databases.owners_assumed(connection, ["an_owner"]),
            server.superuser() as other,
        ):
            (inherits,) = other.execute(INHERITS).fetchall()
            assert inherits == (True,)
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))
            raise ValueError("what ended the restore")
    with server.superuser() as other:
        assert other.execute(INHERITS).fetchall() == [(False,)]


def test_what_a_restore_did_not_finish_is_dropped_by_another_session(
    server: PostgresServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with server.superuser() as connection:
        connection.autocommit = True
        with (
            pytest.raises(ValueError, match="in the proof"),
            finished_or_dropped(connection, 'half "[red]"') as is_new,
        ):
            assert is_new
            connection.execute("""CREATE DATABASE "half ""[red]\"\"" """)
            with server.superuser() as other:
                other.execute(
                    "SELECT pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,)
                )
            raise ValueError("in the proof")
        assert 'half "[red]" was incomplete and is dropped' in capsys.readouterr().err
    with server.superuser() as connection:
        assert not databases.exists(connection, 'half "[red]"')
        with (
            pytest.raises(ValueError, match="again"),
            finished_or_dropped(connection, PRESENT) as is_new,
        ):
            assert not is_new
            raise ValueError("again")
        assert databases.exists(connection, PRESENT)
    assert f"Database {PRESENT} was there before and is incomplete" in capsys.readouterr().err


def test_a_lost_session_is_told_once(server: PostgresServer) -> None:
    """psycopg warns of what it could not roll back; without a handler that lands on the screen."""
    with server.superuser() as other:
        connection = connector(server.endpoint, (MASTER, MASTER_PASSWORD), "a test")()
        with pytest.raises(psycopg.OperationalError), connection.transaction():
            connection.execute("SELECT")
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))
            connection.execute("SELECT")
    handlers = logging.getLogger("psycopg").handlers
    assert any(isinstance(one, logging.NullHandler) for one in handlers)


@pytest.mark.parametrize("name", ["", "n" * 64, "é" * 32, "a\0b", "template1", "postgres"])
def test_names_that_no_restore_may_have(name: str) -> None:
    with pytest.raises(OperationError, match="Choose another name"):
        databases.refuse_unfit_name(name)


def test_names_that_a_restore_may_have() -> None:
    for name in ("n" * 63, 'odd "name" é', "template2"):
        databases.refuse_unfit_name(name)
