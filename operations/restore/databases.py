"""Databases on the server as targets: made, emptied, swapped and taken away."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from operations.backup.manifest import Manifest
from operations.errors import OperationError


def exists(connection: psycopg.Connection[Any], name: str) -> bool:
    """Whether the server has a database of that name."""
    row = connection.execute(
        "SELECT FROM pg_catalog.pg_database WHERE datname = %s", (name,)
    ).fetchone()
    return row is not None


def create(connection: psycopg.Connection[Any], name: str, backup: Manifest) -> None:
    """A new, empty database with the backup's encoding. `connection` must be in autocommit."""
    connection.execute(
        sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {}").format(
            sql.Identifier(name), sql.Literal(backup.encoding)
        )
    )


def drop(connection: psycopg.Connection[Any], name: str) -> None:
    """Drop a database with its sessions; nothing happens when it is not there."""
    connection.execute(
        sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    )


@dataclass(frozen=True)
class Swapped:
    """The name that the database before now has, and how many of its sessions were ended."""

    aside: str
    ended_sessions: int


def swap(connection: psycopg.Connection[Any], present: str, replacement: str) -> Swapped:
    """Put `replacement` in the place of `present`.

    New sessions are refused and those that are there ended, for the moment that the renames take.
    Clients of the pooler wait instead where it holds them back (`pooler_pause`).

    Raises:
        OperationError: the present database could not be freed; nothing was changed.
    """
    aside = f"{present}_before_{datetime.now(UTC):%Y%m%dt%H%M%S}"
    closed = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
    connection.execute(closed.format(sql.Identifier(present), sql.SQL("false")))
    try:
        ended = connection.execute(
            "SELECT backend_type = 'client backend', pg_catalog.pg_terminate_backend(pid, 5000) "
            "FROM pg_catalog.pg_stat_activity "
            "WHERE datname = %s AND pid <> pg_catalog.pg_backend_pid()",
            (present,),
        ).fetchall()
        with connection.transaction():
            for old, new in ((present, aside), (replacement, present)):
                connection.execute(
                    sql.SQL("ALTER DATABASE {} RENAME TO {}").format(
                        sql.Identifier(old), sql.Identifier(new)
                    )
                )
    except psycopg.Error as error:
        connection.execute(closed.format(sql.Identifier(present), sql.SQL("true")))
        reason = " ".join(str(error).split())
        raise OperationError(
            f"database {present} could not be replaced: {reason}; it is unchanged and open again, "
            f"the restored one is {replacement}"
        ) from error
    return Swapped(aside, sum(bool(is_client) for is_client, _ in ended))


def reopen(connection: psycopg.Connection[Any], name: str) -> None:
    """Accept sessions again."""
    connection.execute(
        sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS true").format(sql.Identifier(name))
    )


@contextmanager
def owners_assumed(connection: psycopg.Connection[Any], backup_roles: list[str]) -> Generator[None]:
    """Lets the session's user give objects to their owners, for as long as the block runs.

    A master of RDS may administer the roles that it made and is not a member of them.
    """
    rows = connection.execute(
        """SELECT r.rolname, coalesce(bool_or(m.inherit_option), false)
             FROM pg_catalog.pg_roles r
             LEFT JOIN pg_catalog.pg_auth_members m
               ON m.roleid = r.oid AND m.member = current_user::regrole
            WHERE r.rolname = ANY(%s) AND NOT r.rolcanlogin
              AND NOT pg_catalog.pg_has_role(current_user, r.oid, 'USAGE')
            GROUP BY r.rolname""",
        (backup_roles,),
    ).fetchall()
    assumed = [name for name, _ in rows]
    grant = sql.SQL("GRANT {} TO CURRENT_USER WITH INHERIT {}, SET TRUE")
    for name in assumed:
        connection.execute(grant.format(sql.Identifier(name), sql.SQL("TRUE")))
    try:
        yield
    finally:
        for name in assumed:
            connection.execute(grant.format(sql.Identifier(name), sql.SQL("FALSE")))
