"""The migration runner: what is applied, by whom, and how a change behind its back is found.

A migration runs as the owner of the schema, in one transaction with its record and with the grants
of the workload's contract: a table is never there without its privileges, and a migration that
fails leaves nothing.
"""

from __future__ import annotations

import codecs
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from operations.errors import OperationError
from operations.migrations import transaction_control
from operations.roles import privileges
from operations.roles.ledger import Ledger
from operations.roles.safety import check
from workloads.contract import Migration, RoleSet

# Two runs at once: the second waits, then finds the work done.
_ADVISORY_LOCK = 0x706B6D67
# Longer than any lock that the first run may wait for, shorter than Lambda's 15 minutes.
ADVISORY_LOCK_WAIT_SECONDS = 120


@dataclass(frozen=True)
class Result:
    """Names of the migrations applied now and of those applied before."""

    applied: list[str]
    already: list[str]


def run(
    connection: psycopg.Connection[Any],
    roles: RoleSet,
    migrations: Sequence[tuple[Migration, bytes]],
) -> Result:
    """Apply what is missing, in order, as the schema's owner.

    `migrations` pairs what the deployment announces with the file's bytes. Raises `OperationError`
    when a file differs from its announcement, an applied migration was edited or has vanished, an
    older one is missing, or PostgreSQL refuses a statement.
    """
    check(roles)
    _check_files(migrations)
    ledger = Ledger(connection)
    _lock(connection)
    with connection.transaction():
        _become_owner(connection, roles)
        _create_record(ledger, roles)
        recorded = _recorded(ledger, roles)
    _check_history([migration for migration, _ in migrations], recorded)
    result = Result(
        [], [migration.name for migration, _ in migrations if migration.name in recorded]
    )
    for migration, text in migrations:
        if migration.name not in recorded:
            _apply(ledger, roles, migration, text)
            result.applied.append(migration.name)
    return result


def _check_files(migrations: Sequence[tuple[Migration, bytes]]) -> None:
    for migration, text in migrations:
        if hashlib.sha256(text).hexdigest() != migration.sha256:
            raise OperationError(
                f"migration {migration.name} in this archive is not the announced one (SHA-256 "
                "differs); build and deploy the functions from the same commit as the stack"
            )
        _refuse_cut_text(migration, text)
        _refuse_transaction_control(migration, text)
    names = [migration.name for migration, _ in migrations]
    if names != sorted(names):
        raise OperationError(f"migrations are announced out of order: {', '.join(names)}")


def _lock(connection: psycopg.Connection[Any]) -> None:
    """A session lock, so that it spans the transactions; it ends with the connection."""
    deadline = time.monotonic() + ADVISORY_LOCK_WAIT_SECONDS
    while True:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_ADVISORY_LOCK,)).fetchone()
        connection.commit()
        if row and row[0]:
            return
        if time.monotonic() > deadline:
            raise OperationError(
                f"another migration run holds the lock for {ADVISORY_LOCK_WAIT_SECONDS} s; "
                "wait until it has ended, or end its session, and run again"
            )
        time.sleep(0.5)


def _become_owner(connection: psycopg.Connection[Any], roles: RoleSet) -> None:
    owner = sql.Identifier(roles.owner.name)
    schema = sql.Identifier(roles.schema_name)
    connection.execute(sql.SQL("SET LOCAL ROLE {}").format(owner))
    connection.execute(sql.SQL("SET LOCAL search_path = {}").format(schema))


def _record(roles: RoleSet) -> sql.Identifier:
    return sql.Identifier(roles.schema_name, privileges.MIGRATIONS_TABLE)


def _create_record(ledger: Ledger, roles: RoleSet) -> None:
    table = f"{roles.schema_name}.{privileges.MIGRATIONS_TABLE}"
    if ledger.value("SELECT to_regclass(%s)", table) is not None:
        return
    ledger.connection.execute(
        sql.SQL(
            """CREATE TABLE {} (
                   name        text        PRIMARY KEY,
                   sha256      text        NOT NULL CHECK (sha256 ~ '^[0-9a-f]{{64}}$'),
                   applied_at  timestamptz NOT NULL DEFAULT now(),
                   applied_by  text        NOT NULL DEFAULT session_user,
                   seconds     numeric     NOT NULL
               )"""
        ).format(_record(roles))
    )
    # Default privileges have just let readers in.
    privileges.reconcile_objects(ledger, roles)


def _recorded(ledger: Ledger, roles: RoleSet) -> dict[str, str]:
    query = sql.SQL("SELECT name, sha256 FROM {} ORDER BY name").format(_record(roles))
    return dict(ledger.connection.execute(query).fetchall())


def _check_history(announced: Sequence[Migration], recorded: dict[str, str]) -> None:
    names = {migration.name for migration in announced}
    for name in recorded:
        if name not in names:
            raise OperationError(
                f"migration {name} was applied but is not in this deployment any more; restore its "
                "file (a newer database than the code, or a deleted migration)"
            )
    for migration in announced:
        sha256 = recorded.get(migration.name)
        if sha256 is None and any(name > migration.name for name in recorded):
            raise OperationError(
                f"migration {migration.name} is older than {max(recorded)}, which was applied; "
                "give it the next free number"
            )
        if sha256 is not None and sha256 != migration.sha256:
            raise OperationError(
                f"migration {migration.name} was edited after it was applied; restore the file "
                "and put the change into a new migration"
            )


def _apply(ledger: Ledger, roles: RoleSet, migration: Migration, text: bytes) -> None:
    started = time.monotonic()
    connection = ledger.connection
    try:
        with connection.transaction():
            _become_owner(connection, roles)
            connection.execute("SET LOCAL pgkeep.migration = 'running'")
            connection.execute(text.removeprefix(codecs.BOM_UTF8))
            _require_same_transaction(ledger, migration)
            _become_owner(connection, roles)
            privileges.reconcile_objects(ledger, roles)
            connection.execute(
                sql.SQL("INSERT INTO {} (name, sha256, seconds) VALUES (%s, %s, %s)").format(
                    _record(roles)
                ),
                (migration.name, migration.sha256, round(time.monotonic() - started, 3)),
            )
    except psycopg.Error as error:
        position = error.diag.statement_position
        where = f" at line {_line(text, int(position))}" if position else ""
        raise OperationError(
            f"migration {migration.name} failed{where} and left nothing: "
            f"{error.diag.message_primary or str(error).strip()}"
        ) from error


def _refuse_cut_text(migration: Migration, text: bytes) -> None:
    """libpq sends a text up to its first NUL, and the rest would count as applied."""
    position = text.find(b"\0")
    if position >= 0:
        line = text.count(b"\n", 0, position) + 1
        raise OperationError(
            f"migration {migration.name} has a NUL byte in line {line}, "
            "where PostgreSQL would stop reading; save the file as UTF-8"
        )


def _refuse_transaction_control(migration: Migration, text: bytes) -> None:
    found = transaction_control.find(text)
    if found:
        raise OperationError(
            f"migration {migration.name} line {found.line} has {found.words}; "
            "each migration already runs in one transaction with its record, remove it"
        )


def _require_same_transaction(ledger: Ledger, migration: Migration) -> None:
    """For transaction control that hides from `_refuse_transaction_control`."""
    if ledger.value("SELECT current_setting('pgkeep.migration', true)") != "running":
        raise OperationError(
            f"migration {migration.name} ended its own transaction, so a part of it may be applied "
            "without its record; look at the schema, and remove COMMIT and ROLLBACK from the file"
        )


def _line(text: bytes, character: int) -> int:
    sent = text.removeprefix(codecs.BOM_UTF8)
    return sent.decode(errors="replace")[: character - 1].count("\n") + 1
