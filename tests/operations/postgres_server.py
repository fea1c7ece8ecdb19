"""A PostgreSQL 17 of its own for a test run, out of the base image, with RDS's kind of master.

It lives in private mount and process namespaces: when the test run ends or dies, nothing remains.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from operations.certificates import issue
from operations.database import Endpoint

HOST = "localhost"
DATABASE = "node_pass"
SUPERUSER = "rdsadmin"
MASTER, MASTER_PASSWORD = "pgkeep_master", "master-password-of-a-test"

_START = r"""
set -e
mount -t tmpfs -o "size=$DISK" tmpfs "$FOLDER/overlay"
mkdir "$FOLDER"/overlay/{upper,work,root}
root="$FOLDER/overlay/root"
mount -t overlay overlay -o "lowerdir=$IMAGE,upperdir=$FOLDER/overlay/upper,workdir=$FOLDER/overlay/work" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"
mkdir -p "$root/data" "$root/socket"
mount --bind "$FOLDER/socket" "$root/socket"
cp "$FOLDER/server.crt" "$FOLDER/server.key" "$root/"
chroot "$root" chown postgres:postgres /data /socket /server.crt /server.key
chmod 600 "$root/server.key"
bin=/usr/lib/postgresql/17/bin
chroot "$root" su postgres -c "$bin/initdb -D /data -U rdsadmin --auth=scram-sha-256 \
    --pwfile=<(echo unused) --no-sync --encoding=UTF8 --locale=C.UTF-8" >/dev/null
cat >> "$root/data/postgresql.conf" <<END
listen_addresses = '127.0.0.1'
port = $PORT
unix_socket_directories = '/socket'
fsync = off
ssl = on
ssl_cert_file = '/server.crt'
ssl_key_file = '/server.key'
log_statement = 'all'
logging_collector = off
END
cat > "$root/data/pg_hba.conf" <<END
local all all trust
hostssl all all 127.0.0.1/32 scram-sha-256
END
exec chroot "$root" su postgres -c "exec $bin/postgres -D /data"
"""

# What makes RDS's master: CREATEROLE and CREATEDB, member of rds_superuser, no superuser.
_MASTER = f"""
CREATE ROLE rds_superuser NOLOGIN;
GRANT pg_monitor, pg_signal_backend, pg_checkpoint, pg_read_all_data TO rds_superuser WITH ADMIN OPTION;
CREATE ROLE {MASTER} LOGIN CREATEDB CREATEROLE PASSWORD '{MASTER_PASSWORD}';
GRANT rds_superuser TO {MASTER};
ALTER DATABASE postgres OWNER TO {MASTER};
ALTER DATABASE template1 OWNER TO {MASTER};
"""


@dataclass
class PostgresServer:
    """A running server; `log` is all that it wrote, statements included."""

    endpoint: Endpoint
    socket_folder: Path
    log_file: Path
    process: subprocess.Popen[bytes]

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def superuser(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """An autocommit connection as RDS's own superuser, over the socket."""
        return psycopg.connect(
            host=str(self.socket_folder),
            port=self.endpoint.port,
            user=SUPERUSER,
            dbname=database,
            autocommit=True,
        )

    def reset(self) -> None:
        """An empty database of the master, and no role of an earlier test."""
        with self.superuser() as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)".encode())
            roles = connection.execute(
                "SELECT rolname FROM pg_roles WHERE rolname ~ '^(node_pass|stranger)'"
            ).fetchall()
            for (role,) in roles:
                connection.execute(f"DROP OWNED BY {role} CASCADE".encode())
                connection.execute(f"DROP ROLE {role}".encode())
            connection.execute(f"ALTER ROLE {MASTER} PASSWORD '{MASTER_PASSWORD}'".encode())
            connection.execute("GRANT CONNECT, TEMPORARY ON DATABASE postgres TO PUBLIC")
            connection.execute(f"CREATE DATABASE {DATABASE} OWNER {MASTER}".encode())

    def stop(self) -> None:
        """Stop at once; namespaces and mounts go with the last process."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=10)


def start(image: Path, folder: Path, *, disk_mib: int | None = None) -> PostgresServer:
    """Start a server with its data in memory; `folder` gets its log, socket and certificates.

    `disk_mib` is how much there is for its data, system files included.
    """
    (folder / "overlay").mkdir(parents=True)
    (folder / "socket").mkdir()
    now = datetime.now(UTC)
    authority = issue.authority("RDS CA of a test", 30, now)
    server = issue.server(authority, [HOST], 20, now)
    ca_bundle = folder / "rds-ca-bundle.pem"
    ca_bundle.write_text(authority.certificate)
    (folder / "server.crt").write_text(server.certificate)
    (folder / "server.key").write_text(server.private_key)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log_file = folder / "postgresql.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private",
             "bash", "-c", _START],
            env={
                **os.environ,
                "IMAGE": str(image),
                "FOLDER": str(folder),
                "PORT": str(port),
                "DISK": "50%" if disk_mib is None else f"{disk_mib}m",
            },
            stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    endpoint = Endpoint(HOST, port, DATABASE, ca_bundle)
    running = PostgresServer(endpoint, folder / "socket", log_file, process)
    try:
        _wait(running)
        with running.superuser() as connection:
            connection.execute(_MASTER.encode())
    except BaseException:
        running.stop()
        raise
    return running


def _wait(server: PostgresServer) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            server.superuser().close()
        except psycopg.OperationalError:
            if server.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{server.log}") from None
            time.sleep(0.1)
        else:
            return
