"""Runs statements inside one transaction and keeps what they changed."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from operations.errors import OperationError

# Any constant: of runs at once each reads what the others wrote.
_ADVISORY_LOCK = 0x70676B65

Statement = sql.SQL | sql.Composed


class Ledger:
    """A transaction's connection with the list of `changes` made in it, in plain words."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self.changes: list[str] = []

    def change(self, description: str, statement: Statement) -> None:
        """Run a statement that changes something; `description` must hold no secret.

        Raises `OperationError` when PostgreSQL does not let this user do it.
        """
        try:
            self.connection.execute(statement)
        except psycopg.errors.InsufficientPrivilege as error:
            reason = error.diag.message_primary or "insufficient privilege"
            detail = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
            raise OperationError(
                f"cannot {description}: PostgreSQL says {reason}{detail}; "
                "undo what another user set up by hand, as that user, and run again"
            ) from error
        self.changes.append(description)

    def lock_roles(self) -> None:
        """Wait for, and keep until the connection ends, what lets one run at a time change roles,
        their secrets and the list of pooler users; also after a commit."""
        self.rows("SELECT pg_advisory_lock(%s)", _ADVISORY_LOCK)

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.connection.execute(query.encode(), parameters or None).fetchall()

    def value(self, query: str, *parameters: object) -> Any:
        """The first column of the first row; None without rows."""
        rows = self.rows(query, *parameters)
        return rows[0][0] if rows else None

    @contextmanager
    def acting_as(self, role: str) -> Generator[None]:
        """Run the block's statements as `role`; the connection's user must be allowed to."""
        before = self.value("SELECT current_user")
        self.connection.execute(_set_role(role))
        yield
        self.connection.execute(_set_role(before))


def names(values: Sequence[str]) -> sql.Composed:
    """Quoted identifiers, separated by commas."""
    return sql.SQL(", ").join(sql.Identifier(value) for value in values)


def _set_role(role: str) -> sql.Composed:
    return sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role))
