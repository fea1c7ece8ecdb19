"""Two databases change places: in one transaction, so that nothing in between is ever left behind.

RENAME takes the database's lock first, at which new sessions wait before they are in it, and then
gives those that are there five seconds to go (PostgreSQL's dbcommands.c, RenameDatabase and
CountOtherDBBackends; postinit.c, InitPostgres). They are ended from a second session once the lock
is held: nobody is sent away in vain, and nobody who was can come back before the end.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from operations.errors import OperationError
from operations.restore.databases import (
    BACK_WITHIN_SECONDS,
    BEFORE,
    exists,
    lasting,
    name_beside,
    rename,
)

_COMING = "coming"
# Each gives sessions five seconds; a superuser's, which the master may not end, go by themselves.
_TRIES = 3
_LOOK_AGAIN_SECONDS = 0.05
# The parameter group's are made for applications. A machine that dies between two statements holds
# the lock, and so all new sessions up, until the server ends the transaction.
_LIMITS = b"""
SET LOCAL lock_timeout = '10s';
SET LOCAL statement_timeout = '30s';
SET LOCAL idle_in_transaction_session_timeout = '5s'
"""
# Autovacuum's processes have no user: RENAME ends them itself.
_END = """
SELECT a.pid, a.backend_type = 'client backend', pg_catalog.pg_terminate_backend(a.pid)
  FROM (SELECT a.* FROM pg_catalog.pg_stat_activity a
          JOIN pg_catalog.pg_locks l
            ON l.locktype = 'object' AND l.classid = 'pg_catalog.pg_database'::regclass
               AND l.objid = a.datid AND l.pid = %(renames)s AND l.granted
               AND l.mode = 'AccessExclusiveLock'
          JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
         WHERE a.datname = %(database)s
           AND (NOT r.rolsuper OR (SELECT rolsuper FROM pg_catalog.pg_roles
                                    WHERE rolname = current_user))
         OFFSET 0) a
"""


class UnknownOutcomeError(OperationError):
    """The server was lost, and nobody can say whether the exchange has happened."""


@dataclass(frozen=True)
class Swapped:
    """The name that the database before now has, and how many of its sessions were ended."""

    aside: str
    ended_sessions: int


def swap(connection: psycopg.Connection[Any], present: str, replacement: str) -> Swapped:
    """Put `replacement` in the place of `present`, which stays under another name, closed.

    New sessions wait and those that are there are ended, for the moment that the renames take.
    Clients of the pooler wait instead where it holds them back (`pooler_pause`). Whatever ends
    this, a kill of this process or of the server too, leaves both as they were or both exchanged.

    Args:
        connection: of their owner, beside both, in autocommit.
        present: the name that the application knows.
        replacement: nobody may be in it; it may be closed.

    Raises:
        UnknownOutcomeError: the server was lost in the midst and did not come back.
        OperationError: the present database could not be freed; nothing was changed.
    """
    aside = name_beside(present, BEFORE)
    ended: set[int] = set()
    try:
        for tries_left in reversed(range(_TRIES)):
            try:
                with _ended_sessions(connection, present, ended), connection.transaction():
                    _exchange(connection, present, replacement, aside)
                break
            except psycopg.errors.ObjectInUse:
                if not tries_left:
                    raise
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        if not _has_happened(connection, replacement, aside, reason):
            raise OperationError(
                f"database {present} could not be replaced: {reason}; it is unchanged and open, "
                f"the restored one is {replacement}"
            ) from error
    return Swapped(aside, len(ended))


def _exchange(
    connection: psycopg.Connection[Any], present: str, replacement: str, aside: str
) -> None:
    open_to_sessions = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
    coming = name_beside(present, _COMING)
    connection.execute(_LIMITS)
    # First: somebody who is in it is no reason to end anybody's session in the present one.
    rename(connection, replacement, coming)
    rename(connection, present, aside)
    rename(connection, coming, present)
    for name, accepts in ((aside, sql.SQL("false")), (present, sql.SQL("true"))):
        connection.execute(open_to_sessions.format(sql.Identifier(name), accepts))


def _has_happened(
    connection: psycopg.Connection[Any], replacement: str, aside: str, reason: str
) -> bool:
    """Whether only the answer to the last COMMIT was lost."""
    try:
        with lasting(connection) as usable:
            return exists(usable, aside) and not exists(usable, replacement)
    except psycopg.Error:
        raise UnknownOutcomeError(
            f"the server was lost ({reason}) and took no session within {BACK_WITHIN_SECONDS:.0f} "
            f"s. The databases have changed places or are both as they were: once it is back, see "
            f"`psql -l`. If that shows {aside}, it is the database before; else begin again with "
            f"--back-to {replacement}"
        ) from None


@contextmanager
def _ended_sessions(
    connection: psycopg.Connection[Any], database: str, ended: set[int]
) -> Generator[None]:
    """Ends all sessions of `database` whenever `connection` has its lock, while the block runs.

    Adds the processes of the clients among them to `ended`.
    """
    words, password = connection.info.dsn, connection.info.password
    with psycopg.connect(words, password=password, autocommit=True) as second:
        of_whom = {"renames": connection.info.backend_pid, "database": database}
        done = threading.Event()

        def end() -> None:
            # A server that is lost, or a session that may not be ended, stops the renames too.
            with suppress(psycopg.Error):
                while not done.wait(_LOOK_AGAIN_SECONDS):
                    found = second.execute(_END, of_whom).fetchall()
                    ended.update(
                        pid for pid, is_client, was_ended in found if is_client and was_ended
                    )

        thread = threading.Thread(target=end, name="end sessions", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
