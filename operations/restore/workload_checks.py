"""The workload's own checks: what its contract asks of a restored database."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from operations.backup.session import Connect
from operations.restore.proof import Check, Proof
from workloads.contract import RestoreCheck

#: How a report calls them: `workload: no licence sold twice`.
PREFIX = "workload: "
_SHOWN_CHARACTERS = 200


def run(proof: Proof, checks: Sequence[RestoreCheck], *, schema: str, connect: Connect) -> None:
    """Add each check's result to `proof`, in a read-only transaction and a time limit of its own.

    Args:
        proof: of the restored database.
        checks: the contract's.
        schema: the workload's, which comes first on the search_path as in its migrations.
        connect: makes a session that may read every table.
    """
    for check in checks:
        started = time.monotonic()
        examined, findings = _examine(check, schema, connect)
        seconds = round(time.monotonic() - started, 3)
        proof.checks.append(Check(PREFIX + check.name, examined, findings, seconds))


def _examine(check: RestoreCheck, schema: str, connect: Connect) -> tuple[int, tuple[str, ...]]:
    try:
        with connect() as connection:
            # Nothing that a session may do before can take this away: it is the first statement.
            connection.autocommit = False
            connection.execute("SET TRANSACTION READ ONLY")
            connection.execute(
                sql.SQL("SET LOCAL statement_timeout = {}").format(
                    sql.Literal(f"{check.timeout_seconds}s")
                )
            )
            connection.execute(
                sql.SQL("SET LOCAL search_path = {}, pg_catalog").format(sql.Identifier(schema))
            )
            # Prepared: one statement, so none can end this transaction and go on outside.
            rows = connection.execute(check.query.encode(), prepare=True).fetchall()
            connection.rollback()
    except psycopg.Error as error:
        reason = error.diag.message_primary or " ".join(str(error).split())
        return 0, (f"{check.name}: could not be asked: {reason}",)
    return len(rows), _compared(check, rows)


def _compared(check: RestoreCheck, rows: Sequence[tuple[Any, ...]]) -> tuple[str, ...]:
    """Rows themselves are not shown where none was expected: they may be about people."""
    if check.expect == "no rows":
        return (f"{check.name}: {len(rows)} rows, none expected",) if rows else ()
    wanted = [[_text(value) for value in row] for row in check.expect]
    found = [[_text(value) for value in row] for row in rows]
    if found == wanted:
        return ()
    shown = f"found {found}"[:_SHOWN_CHARACTERS]
    return (f"{check.name}: {shown}, expected {f'{wanted}'[:_SHOWN_CHARACTERS]}",)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
