"""PgBouncer as its own user on its own host sees it: console, queries, process."""

import contextlib
import csv
import os
import signal
import subprocess
import time
from pathlib import Path

RUN_FOLDER = Path("/run/pgbouncer")
# A database entry of its own: a full pool of the application is no sickness of the host.
HEALTH_DATABASE = "pgkeep_health"
PASSWORD_FILE = "health.pgpass"  # noqa: S105
QUERY_TIMEOUT_SECONDS = 8
_CONNECT_TIMEOUT_SECONDS = 5
# By then a login has ended in any case (server_connect_timeout in pgbouncer.ini).
_LOGIN_SECONDS = 5
_LOOKS_A_SECOND = 20


class PoolerError(Exception):
    """PgBouncer or the database behind it did not answer; the text is one line."""


def console(command: str, timeout_seconds: float = QUERY_TIMEOUT_SECONDS) -> list[dict[str, str]]:
    """Rows of an admin command such as SHOW POOLS.

    The service's own user may use the console over the socket without a password.
    """
    return _psql("pgbouncer", "pgbouncer", command, timeout_seconds)


def prove_query() -> None:
    """Run SELECT 1 through PgBouncer on the database, as an ordinary client would.

    Raises:
        PoolerError: when no answer came.
    """
    try:
        user = (RUN_FOLDER / PASSWORD_FILE).read_text().split(":")[3]
    except OSError as error:
        raise PoolerError(str(error)) from None
    rows = _psql(user, HEALTH_DATABASE, "SELECT 1 AS one")
    if rows != [{"one": "1"}]:
        raise PoolerError(f"SELECT 1 answered {rows!r}"[:200])


def clients() -> int:
    """Clients over TCP: not this agent, and nobody on the console."""
    return sum(row["addr"] != "unix" for row in console("SHOW CLIENTS"))


def process_id() -> int:
    """PgBouncer's main process; 0 when it does not run."""
    shown = subprocess.run(
        ["systemctl", "show", "--property=MainPID", "--value", "pgbouncer.service"],
        capture_output=True,
        text=True,
        check=True,
        timeout=QUERY_TIMEOUT_SECONDS,
    )
    return int(shown.stdout.strip() or 0)


def await_logins(database: str | None = None) -> bool:
    """Whether there came a moment without a login at the server, of one database or of any.

    Raises:
        PoolerError: PgBouncer does not tell.
    """
    for _ in range(_LOGIN_SECONDS * _LOOKS_A_SECOND):
        logins = [row["database"] for row in console("SHOW SERVERS") if row["state"] == "new"]
        if not logins or (database is not None and database not in logins):
            return True
        time.sleep(1 / _LOOKS_A_SECOND)
    return False


def reload() -> bool:
    """Let a running PgBouncer read its files again; connections stay.

    In a reload PgBouncer 1.24.1 frees its TLS settings, and it dies when a TLS handshake with the
    server that is under way goes on (docs/pooler.md). So this waits for a moment without a login.
    When none comes, the database does not answer, and the files count for more.
    """
    process = process_id()
    if not process:
        return False
    with contextlib.suppress(PoolerError):
        await_logins()
    os.kill(process, signal.SIGHUP)
    return True


def stop_between_transactions(longest_seconds: float) -> bool:
    """Let every running transaction end, then PgBouncer; whether that took no longer than given.

    SIGINT is PgBouncer's safe shutdown (SHUTDOWN WAIT_FOR_SERVERS): no new connections and no new
    transactions, and it ends when the last server connection is released. systemd does not start it
    again after a clean end.
    """
    process = process_id()
    if not process:
        return True
    os.kill(process, signal.SIGINT)
    deadline = time.monotonic() + longest_seconds
    while time.monotonic() < deadline:
        if process_id() != process:
            return True
        time.sleep(0.5)
    return False


def _psql(
    user: str, database: str, command: str, timeout_seconds: float = QUERY_TIMEOUT_SECONDS
) -> list[dict[str, str]]:
    environment = {
        # Debian's /usr/bin/psql is a Perl program that looks for this one: most of a call's time.
        "PATH": "/usr/lib/postgresql/17/bin:/usr/bin:/bin",
        "PGPASSFILE": str(RUN_FOLDER / PASSWORD_FILE),
        "PGHOST": str(RUN_FOLDER),
        "PGPORT": os.environ["LISTEN_PORT"],
        "PGUSER": user,
        "PGDATABASE": database,
        "PGCONNECT_TIMEOUT": str(_CONNECT_TIMEOUT_SECONDS),
        "PGAPPNAME": "pgkeep health",
    }
    try:
        answer = subprocess.run(
            ["psql", "--no-psqlrc", "--no-password", "--csv", f"--command={command}"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_seconds,
        )
    except subprocess.TimeoutExpired:
        raise PoolerError(f"no answer in {timeout_seconds} s to {command}") from None
    if answer.returncode:
        raise PoolerError(" ".join(answer.stderr.split())[:300] or f"psql: {answer.returncode}")
    return list(csv.DictReader(answer.stdout.splitlines()))
