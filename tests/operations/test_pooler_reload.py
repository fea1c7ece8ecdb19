"""A reload of the real PgBouncer while a TLS handshake with the server is under way.

PgBouncer 1.24.1 ends with a segmentation fault where the handshake goes on after a reload: always with
verify-full in the tries behind docs/pooler.md, with verify-ca by luck; so the order of both is what counts.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from hosts import pooler
from localcloud.image import base_image
from tests.operations import pgbouncer_server
from tests.operations.pgbouncer_server import PgBouncerServer
from tests.operations.postgres_server import PostgresServer
from tests.operations.test_pooler_waits import wait_until

pytestmark = pytest.mark.root

USER, PASSWORD = "stranger_app", "password-of-a-test"
SECONDS = 1.5


class SlowHandshakes:
    """A way to the server on which what a client says after its SSLRequest takes its time."""

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self.under_way = threading.Event()
        self.passed: list[float] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.server_port))
            threading.Thread(target=self._copy, args=(far, near), daemon=True).start()
            threading.Thread(target=self._copy, args=(near, far, True), daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket, slow: bool = False) -> None:
        try:
            number = 0
            while data := source.recv(65536):
                number += 1
                if slow and number == 2:  # The SSLRequest is the first, ClientHello the second.
                    self.under_way.set()
                    time.sleep(SECONDS)
                    self.passed.append(time.monotonic())
                target.sendall(data)
        except OSError:
            pass
        finally:
            source.close()
            target.close()


@pytest.fixture
def slow(server: PostgresServer) -> Iterator[SlowHandshakes]:
    way = SlowHandshakes(server.endpoint.port)
    yield way
    way.stop()


@pytest.fixture
def bouncer(
    server: PostgresServer, slow: SlowHandshakes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PgBouncerServer]:
    with server.superuser() as connection:
        connection.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'".encode())
        found = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [USER])
        ((verifier,),) = found.fetchall()
    started = pgbouncer_server.start(
        base_image(print), tmp_path, server, {USER: verifier}, database_port=slow.port
    )
    monkeypatch.setattr(pooler, "console", started.console)
    monkeypatch.setattr(pooler, "process_id", lambda: started.process_id)
    yield started
    started.stop()


def test_a_reload_waits_for_the_handshake_and_breaks_nothing(
    bouncer: PgBouncerServer, slow: SlowHandshakes
) -> None:
    answers: list[object] = []

    def ask() -> None:
        with psycopg.connect(
            host="127.0.0.1", port=bouncer.port, user=USER, password=PASSWORD,
            dbname="node_pass", sslmode="require", autocommit=True, connect_timeout=20,
        ) as client:  # fmt: skip
            answers.append(client.execute("SELECT 1").fetchone())

    bouncer.console("SET min_pool_size = 0")
    before = bouncer.process_id
    client = threading.Thread(target=ask)
    client.start()
    assert slow.under_way.wait(20), bouncer.log
    assert pooler.reload() is True
    reloaded = time.monotonic()
    client.join(30)
    assert answers == [(1,)], bouncer.log
    assert bouncer.process_id == before
    assert slow.passed[0] < reloaded
    wait_until(lambda: "got SIGHUP" in bouncer.log)
