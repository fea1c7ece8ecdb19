"""A host's pause with a real PgBouncer: its clients wait, and none of them is refused afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hosts import pooler
from hosts.health import Health
from hosts.pause import Pause
from localcloud.image import base_image
from tests.operations import pgbouncer_server
from tests.operations.pgbouncer_server import PgBouncerServer
from tests.operations.postgres_server import PostgresServer

USER, PASSWORD = "stranger_app", "password-of-a-test"
DATABASE = "node_pass"


class Host:
    """A host's agent before its PgBouncer, and applications behind it."""

    def __init__(self, server: PostgresServer, bouncer: PgBouncerServer) -> None:
        self.server, self.bouncer = server, bouncer
        self.answers: list[str] = []
        self.pause = Pause(
            DATABASE, Health(10, 0), lambda answer: self.answers.append(answer["state"]), 5
        )

    def wish(self, state: str) -> None:
        self.pause.follow({"id": "one", "state": state, "until": time.time() + 60})

    def client(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            host="127.0.0.1", port=self.bouncer.port, user=USER, password=PASSWORD,
            dbname=DATABASE, sslmode="require", autocommit=True, connect_timeout=20,
        )  # fmt: skip

    def setting(self, name: str) -> str:
        (row,) = [row for row in self.bouncer.console("SHOW CONFIG") if row["key"] == name]
        return row["value"]

    def logins(self) -> int:
        """Sessions at the server that PgBouncer is still opening."""
        return sum(row["state"] == "new" for row in self.bouncer.console("SHOW SERVERS"))


@pytest.fixture
def site(server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    with server.superuser() as connection:
        connection.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'".encode())
        found = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [USER])
        ((verifier,),) = found.fetchall()
    bouncer = pgbouncer_server.start(base_image(print), tmp_path, server, {USER: verifier})
    monkeypatch.setattr(pooler, "console", bouncer.console)
    yield Host(server, bouncer)
    bouncer.stop()


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_client_that_asks_right_after_the_pause_is_served(site: Host) -> None:
    """PgBouncer fills pools up to min_pool_size in a paused database too, and closes each login."""
    with site.client() as one, site.client() as other:
        one.execute("SELECT 1")
        assert site.setting("min_pool_size") == "5"
        site.wish("ready")
        site.wish("pause")
        # Three rounds of PgBouncer's maintenance, at which it would open them.
        time.sleep(1.2)
        site.wish("pause")
        site.wish("resume")
        assert site.answers == ["ready", "drained", "resumed"]
        for client in (one, other):
            assert client.execute("SELECT 1").fetchone() == (1,)
    assert site.setting("min_pool_size") == "5"


def test_the_pause_waits_for_a_login_that_is_under_way(site: Host) -> None:
    """One that PAUSE breaks off counts as failed: the next client would be refused."""
    with site.client() as early, site.client() as late, set_login_seconds(site.server, 1):
        # Its pool is there, and nothing in it.
        site.bouncer.console("SET min_pool_size = 0")
        site.bouncer.console(f"RECONNECT {DATABASE}")
        wait_until(lambda: not site.bouncer.console("SHOW SERVERS"))
        answers: list[Any] = []

        def answer() -> None:
            answers.append(early.execute("SELECT 1").fetchone())

        first = threading.Thread(target=answer)
        site.wish("ready")
        first.start()
        wait_until(site.logins)
        site.wish("pause")
        site.wish("resume")
        assert late.execute("SELECT 1").fetchone() == (1,)
        first.join()
    assert answers == [(1,)]


@contextmanager
def set_login_seconds(server: PostgresServer, seconds: int) -> Generator[None]:
    """Logins take so long meanwhile."""
    with server.superuser() as connection:
        try:
            connection.execute(f"ALTER SYSTEM SET pre_auth_delay = {seconds}".encode())
            connection.execute("SELECT pg_reload_conf()")
            yield
        finally:
            connection.execute("ALTER SYSTEM RESET pre_auth_delay")
            connection.execute("SELECT pg_reload_conf()")
