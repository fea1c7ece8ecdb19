"""Two databases change places on a real server, and what an interruption leaves."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from operations.database import password_accepted
from operations.errors import OperationError
from operations.restore import database_swap, databases, preconditions
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
        connection.execute(f'CREATE DATABASE "{COMING}" OWNER {MASTER}'.encode())
    with master(server, COMING) as connection:
        connection.execute("CREATE TABLE restored ()")
    return server


def open_to_sessions(connection: psycopg.Connection[Any]) -> dict[str, bool]:
    rows = connection.execute(
        "SELECT datname, datallowconn FROM pg_database WHERE datname LIKE %s", (f"{PRESENT}%",)
    ).fetchall()
    return dict(rows)


def master(server: PostgresServer, database: str = "postgres") -> psycopg.Connection[Any]:
    """What a restore has: no superuser."""
    connection = server.endpoint.connect(MASTER, MASTER_PASSWORD, database=database)
    connection.autocommit = True
    return connection


def test_the_restored_one_comes_and_the_one_before_stays_closed(coming: PostgresServer) -> None:
    with master(coming) as connection, coming.superuser() as other:
        with master(coming, PRESENT) as client:
            client.execute("SELECT")
            swapped = database_swap.swap(connection, PRESENT, COMING)
            with pytest.raises(psycopg.OperationalError):
                client.execute("SELECT")
        assert swapped.ended_sessions == 1
        assert databases.can_replace(PRESENT, swapped.aside)
        assert open_to_sessions(connection) == {PRESENT: True, swapped.aside: False}
        with master(coming, PRESENT) as client:
            client.execute("TABLE restored")
        # The way back.
        again = database_swap.swap(connection, PRESENT, swapped.aside)
        assert open_to_sessions(connection) == {PRESENT: True, again.aside: False}
        databases.drop(other, again.aside)
    with master(coming, PRESENT) as client, pytest.raises(psycopg.errors.UndefinedTable):
        client.execute("TABLE restored")


def test_clients_that_come_again_at_once_keep_nobody_from_it(coming: PostgresServer) -> None:
    """Neither from the exchange, nor do they get into what it puts aside."""
    over, refusals = threading.Event(), set[str]()
    renamed = list[bool]()

    def come_again() -> None:
        while not over.is_set():
            try:
                with master(coming, PRESENT) as client:
                    client.execute("SELECT pg_sleep(0.01)")
            except psycopg.OperationalError as error:
                refusals.add(str(error).split("FATAL: ")[-1].strip())
                if "does not exist" in str(error):
                    # A rotation must not take it for a wrong password.
                    renamed.append(password_accepted(error))

    with master(coming) as connection, ThreadPoolExecutor(8) as pool:
        clients = [pool.submit(come_again) for _ in range(8)]
        try:
            names, coming_one = [], COMING
            for _ in range(3):
                started = time.monotonic()
                coming_one = database_swap.swap(connection, PRESENT, coming_one).aside
                names.append(coming_one)
                assert time.monotonic() - started < 5
                # The name of the one aside has seconds in it.
                databases.rename(connection, coming_one, COMING)
                coming_one = COMING
        finally:
            over.set()
        for client in clients:
            client.result()
        assert open_to_sessions(connection) == {PRESENT: True, COMING: False}
    assert not any("not currently accepting" in refusal for refusal in refusals), refusals
    assert renamed
    assert all(renamed)


def test_a_session_that_the_master_may_not_end_is_waited_for(coming: PostgresServer) -> None:
    """Such as RDS's own, and an autovacuum at work."""
    with master(coming) as connection, ThreadPoolExecutor(1) as pool:
        with coming.superuser(PRESENT), coming.superuser() as other:
            swapping = pool.submit(database_swap.swap, connection, PRESENT, COMING)
            while not other.execute(
                "SELECT FROM pg_locks WHERE classid = 'pg_database'::regclass AND pid = %s "
                "AND objid = (SELECT oid FROM pg_database WHERE datname = %s)",
                (connection.info.backend_pid, PRESENT),
            ).fetchall():
                assert not swapping.done()
        swapped = swapping.result()
        assert swapped.ended_sessions == 0
        databases.drop(connection, swapped.aside)


@pytest.mark.parametrize("where", [PRESENT, COMING])
def test_a_session_that_stays_leaves_both_as_they_were(
    coming: PostgresServer, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(database_swap, "_TRIES", 1)
    with master(coming) as connection, master(coming, PRESENT) as client:
        with (
            coming.superuser(where),
            pytest.raises(OperationError, match=r"1 other session .* unchanged and open, the rest"),
        ):
            database_swap.swap(connection, PRESENT, COMING)
        assert open_to_sessions(connection) == {PRESENT: True, COMING: True}
        if where == COMING:
            client.execute("SELECT")
    with coming.superuser() as connection:
        databases.drop(connection, COMING)


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_ctrl_c_leaves_both_databases_as_they_were(
    coming: PostgresServer, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    renamed, seen = databases.rename, list[str]()

    def interrupted(connection: psycopg.Connection[Any], old: str, new: str) -> None:
        if len(seen) < after:
            renamed(connection, old, new)
        seen.append(old)
        if len(seen) > after or len(seen) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(database_swap, "rename", interrupted)
    with master(coming) as connection:
        with pytest.raises(KeyboardInterrupt):
            database_swap.swap(connection, PRESENT, COMING)
        assert open_to_sessions(connection) == {PRESENT: True, COMING: True}
        databases.drop(connection, COMING)
    with master(coming, PRESENT) as client:
        client.execute("SELECT")


@pytest.mark.parametrize("answer_lost", [False, True])
def test_a_lost_session_leaves_no_database_closed(
    coming: PostgresServer, monkeypatch: pytest.MonkeyPatch, answer_lost: bool
) -> None:
    """A failover in the exchange, or of its last answer only."""
    exchanged = database_swap._exchange

    def lost(connection: psycopg.Connection[Any], *names: str) -> None:
        exchanged(connection, *names)
        with coming.superuser() as other:
            if answer_lost:
                connection.execute("COMMIT")
            pid = connection.info.backend_pid
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))

    monkeypatch.setattr(database_swap, "_exchange", lost)
    with master(coming) as connection:
        if answer_lost:
            aside = database_swap.swap(connection, PRESENT, COMING).aside
        else:
            aside = ""
            with pytest.raises(OperationError, match="is unchanged and open"):
                database_swap.swap(connection, PRESENT, COMING)
    with master(coming) as connection:
        expected = {PRESENT: True, aside: False} if answer_lost else {PRESENT: True, COMING: True}
        assert open_to_sessions(connection) == expected
        databases.drop(connection, aside or COMING)


def test_a_server_that_does_not_come_back_is_told(
    coming: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(connection: psycopg.Connection[Any], *_: str) -> None:
        with coming.superuser() as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))
        monkeypatch.setattr(psycopg, "connect", nobody_there)
        connection.execute("SELECT")

    def nobody_there(*_: object, **__: object) -> None:
        raise psycopg.OperationalError("connection refused")

    monkeypatch.setattr(databases, "BACK_WITHIN_SECONDS", 0.0)
    monkeypatch.setattr(database_swap, "_exchange", lost)
    with (
        master(coming) as connection,
        pytest.raises(
            OperationError,
            match=r"shows node_pass_before_.*; else begin again with --back-to node_pass_proven",
        ),
    ):
        database_swap.swap(connection, PRESENT, COMING)


_CHILD = """
import os, signal, sys, threading
import psycopg
from operations.restore import database_swap

dsn, present, coming, last, end = sys.argv[1:]
left, wait = int(last), psycopg.Connection.wait
connection = psycopg.connect(dsn, autocommit=True)

def counted(self, *arguments, **words):
    global left
    if self is connection:
        left -= 1
        if left < 0:
            os.kill(os.getpid(), getattr(signal, end))
    return wait(self, *arguments, **words)

psycopg.Connection.wait = counted
try:
    print("done", database_swap.swap(connection, present, coming).aside)
except database_swap.OperationError as error:
    print("refused", error)
"""


def child(server: PostgresServer, statements: int, end: str) -> subprocess.Popen[str]:
    """A process that swaps, and meets its end after so many of its statements."""
    with master(server) as connection:
        dsn = f"{connection.info.dsn} password={MASTER_PASSWORD}"
    words = [dsn, PRESENT, COMING, str(statements), end]
    return subprocess.Popen(
        [sys.executable, "-c", _CHILD, *words], stdout=subprocess.PIPE, text=True
    )


def test_a_kill_at_any_statement_leaves_both_or_exchanges_both(coming: PostgresServer) -> None:
    ends: list[bool] = []
    with coming.superuser() as connection:
        there = set(connection.execute("SELECT oid FROM pg_database").fetchall())
        for statements in range(30):
            swapping = child(coming, statements, "SIGKILL")
            said, _ = swapping.communicate(timeout=60)
            with master(coming, PRESENT) as client:
                is_new = client.execute("SELECT to_regclass('restored') IS NOT NULL").fetchall()
            ends.append(is_new == [(True,)])
            states = open_to_sessions(connection)
            if ends[-1]:
                (aside,) = states.keys() - {PRESENT}
                assert states == {PRESENT: True, aside: False}
                assert databases.can_replace(PRESENT, aside)
                break
            assert swapping.returncode == -signal.SIGKILL
            assert states == {PRESENT: True, COMING: True}
        assert set(connection.execute("SELECT oid FROM pg_database").fetchall()) == there
        databases.drop(connection, aside)
    # BEGIN, the limits, three renames, two times who may come in, COMMIT.
    assert ends == [False] * 8 + [True], ends
    assert said == f"done {aside}\n"


def test_a_machine_that_stops_in_the_midst_lets_go_of_the_database(coming: PostgresServer) -> None:
    """Nobody closed its connection: new sessions wait for a few seconds, not for hours."""
    stopped = child(coming, 5, "SIGSTOP")
    try:
        with coming.superuser() as connection:
            while not connection.execute(
                "SELECT FROM pg_stat_activity WHERE state = 'idle in transaction' "
                "AND query LIKE 'ALTER DATABASE%%'"
            ).fetchall():
                assert stopped.poll() is None
        started = time.monotonic()
        with master(coming, PRESENT) as client:
            client.execute("SELECT")
        assert 1 < time.monotonic() - started < 10
        stopped.send_signal(signal.SIGCONT)
        said, _ = stopped.communicate(timeout=60)
    finally:
        stopped.kill()
        stopped.wait()
    assert said.startswith("refused database node_pass could not be replaced: "), said
    assert "unchanged and open" in said
    with coming.superuser() as connection:
        assert open_to_sessions(connection) == {PRESENT: True, COMING: True}
        databases.drop(connection, COMING)


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
        # Refused before anything was written into it: it is as whole as it was.
        with (
            master(server, PRESENT) as present,
            pytest.raises(OperationError, match="is not empty"),
            finished_or_dropped(connection, PRESENT),
        ):
            present.execute("CREATE TABLE somebodys ()")
            preconditions.refuse_unless_empty(present, server.endpoint)
        assert capsys.readouterr().err == ""


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
