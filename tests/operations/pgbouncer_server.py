"""PgBouncer out of the base image with a pooler host's own configuration, before a test's server.

It lives in private mount and process namespaces: when the test run ends or dies, nothing remains.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from psycopg import pq

from hosts import pooler
from operations.certificates import issue
from tests.hosts.test_cloud_init import CONFIG, files
from tests.operations.postgres_server import PostgresServer

_START = r"""
set -e
mount --bind "$IMAGE" "$FOLDER/root"
mount --rbind /dev "$FOLDER/root/dev"
mount -t tmpfs tmpfs "$FOLDER/root/run"
mkdir "$FOLDER/root/run/pgbouncer"
mount --bind "$FOLDER/run" "$FOLDER/root/run/pgbouncer"
chroot "$FOLDER/root" chown -R postgres:postgres /run/pgbouncer
exec chroot "$FOLDER/root" setpriv --reuid postgres --regid postgres --clear-groups \
    pgbouncer /run/pgbouncer/pgbouncer.ini
"""


_CONSOLE_PASSWORD = "console-of-a-test"


@dataclass
class PgBouncerServer:
    """A running PgBouncer; its console is behind the socket in `folder`."""

    port: int
    folder: Path
    log_file: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def console(
        self, command: str, timeout_seconds: float = pooler.QUERY_TIMEOUT_SECONDS
    ) -> list[dict[str, str]]:
        """What `hosts.pooler.console` does on a host; the test's machine may have no psql."""
        try:
            with psycopg.connect(
                host=str(self.folder), port=self.port, user="pgbouncer",
                password=_CONSOLE_PASSWORD, dbname="pgbouncer", autocommit=True,
            ) as connection:  # fmt: skip
                connection.pgconn.send_query(command.encode())
                if not select.select([connection.fileno()], [], [], timeout_seconds)[0]:
                    raise pooler.PoolerError(f"no answer in {timeout_seconds} s to {command}")
                return _rows(connection.pgconn)
        except psycopg.Error as error:
            raise pooler.PoolerError(str(error)) from None

    @property
    def process_id(self) -> int:
        """PgBouncer's own, as this machine counts; 0 when it has ended."""
        unshare = self.process.pid
        with contextlib.suppress(OSError, ValueError):
            return int(Path(f"/proc/{unshare}/task/{unshare}/children").read_text())
        return 0

    def stop(self) -> None:
        """Stop at once; namespaces and mounts go with the last process."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=10)


def start(
    image: Path,
    folder: Path,
    server: PostgresServer,
    verifiers: dict[str, str],
    *,
    database_port: int | None = None,
) -> PgBouncerServer:
    """Start one for the users of `verifiers`; `folder` gets its files, socket and log.

    `database_port` is where something in between leads to the server.
    """
    run = folder / "run"
    run.mkdir()
    (folder / "root").mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    endpoint = server.endpoint
    config = replace(
        CONFIG,
        database_name=endpoint.database,
        database_host="127.0.0.1",
        database_port=database_port or endpoint.port,
        replica_hosts=["127.0.0.1"],
        listen_port=port,
        database_sizes={},
        role_sizes={},
    )
    settings = files(config)["/etc/pgbouncer/pgbouncer.ini"]
    bundle = "/rds-ca-bundle.pem"
    (run / "pgbouncer.ini").write_text(
        settings.replace(f"/etc/pgbouncer{bundle}", f"/run/pgbouncer{bundle}")
        # PgBouncer looks for localhost, the certificate's name, at ::1 first and alone.
        .replace("server_tls_sslmode = verify-full", "server_tls_sslmode = verify-ca")
        + "admin_users = pgbouncer\nlog_disconnections = 1\n"
    )
    (run / bundle[1:]).write_text(endpoint.ca_bundle.read_text())
    (run / "listen.ini").write_text("listen_addr = 127.0.0.1\n")
    now = datetime.now(UTC)
    pair = issue.server(issue.authority("pooler CA of a test", 30, now), ["localhost"], 20, now)
    (run / "server.pem").write_text(pair.private_key + pair.certificate)
    (run / "userlist.txt").write_text(
        "".join(
            f'"{user}" "{verifier}"\n'
            for user, verifier in {**verifiers, "pgbouncer": _CONSOLE_PASSWORD}.items()
        )
    )
    log_file = folder / "pgbouncer.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private",
             "bash", "-c", _START],
            env={**os.environ, "IMAGE": str(image), "FOLDER": str(folder)},
            stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    running = PgBouncerServer(port, run, log_file, process)
    deadline = time.monotonic() + 60
    while True:
        try:
            running.console("SHOW VERSION")
        except pooler.PoolerError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                running.stop()
                raise RuntimeError(f"PgBouncer did not start: {error}\n{running.log}") from None
            time.sleep(0.1)
        else:
            return running


def _rows(connection: pq.abc.PGconn) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    while result := connection.get_result():
        if result.status == pq.ExecStatus.FATAL_ERROR:
            raise pooler.PoolerError(result.error_message.decode())
        names = [(result.fname(column) or b"").decode() for column in range(result.nfields)]
        rows += [
            {
                name: (result.get_value(row, column) or b"").decode()
                for column, name in enumerate(names)
            }
            for row in range(result.ntuples)
        ]
    return rows
