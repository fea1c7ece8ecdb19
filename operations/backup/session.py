"""Sessions that all see the one exported snapshot."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql

from operations.backup import catalog, row_security, table_changes
from operations.backup.fingerprints import RowSecurity, session_settings
from operations.errors import OperationError

#: Connects as the backup role; pg_dump and psql then log in with the same user and password.
Connect = Callable[[], "psycopg.Connection[Any]"]

# Any number that nothing else in the database uses: "pgkeepbk" as bytes.
_LOCK = int.from_bytes(b"pgkeepbk", "big", signed=True)
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_CANCEL_SECONDS = 5
# How often tables may come or go between reading their names and locking them.
_TRIES = 5
# Between looks whether a table that was being changed still is.
_LOCK_PAUSE_SECONDS = 0.2
#: A change of a table's definition that comes later waits for the run's locks, and a session of the
#: run that reaches the table waits behind it: neither would end, nor would what users ask of the
#: table. PostgreSQL sees no deadlock in it. Longer than sessions of a stack wait for a lock
#: (`database.lock_timeout_seconds`), so that such a change gives up first.
LONGEST_WAIT_SECONDS = 20
# The server notices within 90 s that a killed run is gone, and frees its lock for the next one.
_ALIVE = (
    "SET tcp_keepalives_idle = 60",
    "SET tcp_keepalives_interval = 10",
    "SET tcp_keepalives_count = 3",
)
# Else a query whose client was killed would run, and hold its locks, to its end.
_NOTICE_CLOSED_CLIENT = ("SET client_connection_check_interval = '5s'",)
_NOTICE_FROM = 140_000
# There are as many sessions as the run has workers. A hash side by side inside of each would take
# processors that the users need, and a sixth more of them (measured on tables of 60 MiB).
_NO_HELPERS = "SET max_parallel_workers_per_gather = 0"


@dataclass(frozen=True)
class Snapshot:
    """The moment that a backup shows. It can be imported while its session is open."""

    name: str
    taken_at: datetime
    lsn: str
    server_version: int
    encoding: str
    #: Python's name of the encoding.
    codec: str
    on_standby: bool
    #: "on" where policies show the user every row of tables that have some.
    row_security: RowSecurity


def export(
    connection: psycopg.Connection[Any],
    check: Callable[[], None] = lambda: None,
    made: catalog.Made = "backup",
) -> Snapshot:
    """Open the transaction that all others import, with all tables locked against changes.

    The locks come before the snapshot: an ALTER TABLE that rewrites a table and commits after the
    snapshot was taken leaves the table empty for it (PostgreSQL's manual, 13.6 Caveats). A table
    that is being changed is waited for without a lock on any other: PostgreSQL would end a deadlock
    by ending the change.

    Args:
        connection: of a session that nothing else uses.
        check: raises when there is no more time.
        made: what of the tables, in what is said.

    Raises:
        OperationError: the database has no encoding, another backup of it is running, a table is
            being changed, tables come and go too fast, or rows of one are hidden from the user.
    """
    connection.autocommit = True
    # In bytes: the session begins in the database's encoding, which Python may not know.
    encoding = (connection.pgconn.parameter_status(b"server_encoding") or b"").decode("ascii")
    if encoding == "SQL_ASCII":
        raise OperationError(
            "the database's encoding is SQL_ASCII: which characters its bytes are is not recorded, "
            f"so names and rows cannot be proven the same; no {made} was made. Move it into a "
            "database with an encoding, such as UTF8, or use pg_dump"
        )
    settings = (*session_settings(encoding, connection.info.server_version), *_ALIVE, _patience())
    try:
        # One message: each would be a round trip.
        connection.execute("; ".join(settings).encode())
        codec = connection.info.encoding
    except psycopg.NotSupportedError:
        raise OperationError(
            f"the database's encoding is {encoding}, which Python cannot read, so that names in it "
            f"cannot be told; no {made} was made. Move it into a database of UTF8, or use pg_dump"
        ) from None
    _lock(connection)
    standby = _text(connection, "SELECT pg_catalog.pg_is_in_recovery()::text") == "true"
    where = "pg_last_wal_replay_lsn" if standby else "pg_current_wal_insert_lsn"
    query = (
        "SELECT pg_catalog.pg_export_snapshot(), pg_catalog.statement_timestamp(), "
        f"pg_catalog.{where}()::text"
    )
    deadline = time.monotonic() + catalog.LOCK_WAIT_SECONDS
    tries = 0
    while tries < _TRIES:
        check()
        tables = catalog.names(connection)
        connection.execute(_BEGIN.encode())
        try:
            catalog.lock(connection, tables)
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            connection.execute("ROLLBACK")
            tries += 1
            continue
        except psycopg.errors.OutOfMemory as error:
            raise catalog.no_room(error, len(tables), made) from None
        except psycopg.errors.LockNotAvailable as error:
            connection.execute("ROLLBACK")
            if time.monotonic() > deadline:
                by = table_changes.changers(connection)
                raise catalog.being_changed(error, by, made) from None
            time.sleep(_LOCK_PAUSE_SECONDS)
            continue
        row = connection.execute(query.encode()).fetchone()
        if row is None:
            raise AssertionError("pg_export_snapshot() always returns a row")
        name, taken_at, lsn = row
        if _has_locked(connection, catalog.names(connection) - tables):
            version = connection.info.server_version
            policies = _row_security(connection, made)
            return Snapshot(name, taken_at, lsn, version, encoding, codec, standby, policies)
        connection.execute("ROLLBACK")
        tries += 1
    raise OperationError(
        f"tables were made and dropped during each of {_TRIES} tries to lock them all; no {made} "
        "was made. Start it again when no migration is running"
    )


def refuse_hidden_rows(
    connection: psycopg.Connection[Any], made: catalog.Made = "backup"
) -> list[row_security.Table]:
    """Asked again at the end: locks keep policies as they are, but not who is in which role.

    Raises:
        OperationError: there are tables whose rows the session sees in part only.
    """
    secured = row_security.tables(connection)
    if not secured:
        return []
    # Of extensions' own tables a backup reads nothing.
    read = catalog.names(connection)
    met = [table for table in secured if table.partitioned or (table.schema, table.name) in read]
    row_security.refuse(connection, met, made)
    return met


def _row_security(connection: psycopg.Connection[Any], made: catalog.Made) -> RowSecurity:
    setting = row_security.setting(refuse_hidden_rows(connection, made))
    connection.execute(f"SET row_security = {setting}".encode())
    return setting


def _has_locked(connection: psycopg.Connection[Any], late: set[tuple[str, str]]) -> bool:
    """Whether the snapshot has whole tables that were made while the others were locked.

    Where tables are made all the time, there would be some in every try. They are locked after the
    snapshot: that is as good where nothing rewrote or dropped one in between.
    """
    if not late:
        return True
    try:
        catalog.lock(connection, late)
        return catalog.as_in_snapshot(connection)
    except (
        psycopg.errors.UndefinedTable,
        psycopg.errors.InvalidSchemaName,
        psycopg.errors.LockNotAvailable,
    ):
        return False


def _patience() -> str:
    return f"SET lock_timeout = '{LONGEST_WAIT_SECONDS}s'"


def _lock(connection: psycopg.Connection[Any]) -> None:
    """Held by the session, so that it goes with it, however the run ends."""
    row = connection.execute("SELECT pg_catalog.pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
    if row is not None and row[0]:
        return
    holder = connection.execute(
        """SELECT a.pid, a.backend_start FROM pg_catalog.pg_locks l
             JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
            WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
              AND (l.classid::bigint << 32 | l.objid::bigint) = %s""",
        (_LOCK,),
    ).fetchone()
    since = f" (process {holder[0]}, since {holder[1]:%Y-%m-%d %H:%M:%S %Z})" if holder else ""
    raise OperationError(
        f"another backup of this database is running{since}; nothing was changed. "
        "Wait for its end, or end its session with pg_terminate_backend"
    )


def _text(connection: psycopg.Connection[Any], query: str) -> str:
    row = connection.execute(query.encode()).fetchone()
    return str(row[0]) if row else ""


def import_statements(snapshot: Snapshot) -> list[str]:
    """What a session says to see the snapshot; without its reader it ends by itself."""
    return [*import_settings(snapshot), *begin_statements(snapshot)]


def import_settings(snapshot: Snapshot) -> list[str]:
    """Those of `import_statements` that come before the transaction."""
    return [
        *_NOTICE_CLOSED_CLIENT[: snapshot.server_version >= _NOTICE_FROM],
        *session_settings(
            snapshot.encoding, snapshot.server_version, row_security=snapshot.row_security
        ),
        _patience(),
        _NO_HELPERS,
    ]


def begin_statements(snapshot: Snapshot) -> tuple[str, str]:
    """A transaction that sees the snapshot."""
    return _BEGIN, f"SET TRANSACTION SNAPSHOT {sql.Literal(snapshot.name).as_string()}"


def cancel(connection: psycopg.Connection[Any]) -> None:
    """Cancel what a session of another thread is doing; nothing happens when it is gone."""
    with suppress(psycopg.Error):
        connection.cancel_safe(timeout=_CANCEL_SECONDS)
