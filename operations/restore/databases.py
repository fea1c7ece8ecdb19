"""Databases on the server as targets: made, renamed and taken away."""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from operations.backup.manifest import Manifest
from operations.errors import OperationError

#: What databases beside the present one are: restored, proven and ready, or replaced.
RESTORED, PROVEN, BEFORE = "restore", "proven", "before"
_NAME_BYTES = 63
#: A failover of a Multi-AZ instance takes one to two minutes. AWS RDS user guide: Multi-AZ.
BACK_WITHIN_SECONDS = 180.0
_PAUSE_SECONDS = 1.0
# Every server needs them, and new databases are copies of template1.
_OF_THE_SERVER = ("postgres", "rdsadmin", "template0", "template1")
_BESIDE = re.compile(rf"(.+)_(?:{PROVEN}|{BEFORE})_[0-9]{{8}}t[0-9]{{6}}")
# Before it, libc was the only provider that a database could have.
_PROVIDERS_FROM = 150_000
_PROVIDERS = {
    "builtin": (sql.SQL("LOCALE_PROVIDER builtin"), sql.SQL("BUILTIN_LOCALE {}")),
    "icu": (sql.SQL("LOCALE_PROVIDER icu"), sql.SQL("ICU_LOCALE {}")),
    "libc": (sql.SQL("LOCALE_PROVIDER libc"), sql.SQL("LOCALE {}")),
}


def name_beside(database: str, what: str) -> str:
    """Such as `node_pass_before_20261121t143000`; PostgreSQL keeps 63 bytes of a name."""
    suffix = f"_{what}_{datetime.now(UTC):%Y%m%dt%H%M%S}"
    return database[: _NAME_BYTES - len(suffix)] + suffix


def can_replace(database: str, name: str) -> bool:
    """Whether `name` is of a database that a swap put aside, or that was proven for one."""
    match = _BESIDE.fullmatch(name)
    return match is not None and database.startswith(match[1]) and len(name) <= _NAME_BYTES


def rename(connection: psycopg.Connection[Any], old: str, new: str) -> None:
    """Nobody may be in it."""
    connection.execute(
        sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new))
    )


def refuse_unfit_name(name: str) -> None:
    """Refuse what cannot be, or must not be, the target of a restore.

    Raises:
        OperationError: the name is empty, longer than PostgreSQL keeps, or of the server's own.
    """
    length = len(name.encode())
    if not name or length > _NAME_BYTES or "\0" in name:
        raise OperationError(
            f"{name!r} is no name of a database: PostgreSQL keeps 1 to {_NAME_BYTES} bytes, and "
            f"these are {length}. Choose another name"
        )
    if name in _OF_THE_SERVER:
        raise OperationError(
            f"{name} is a database of the server's own, which every new database or session of the "
            "master begins with; nothing is restored into it. Choose another name"
        )


def exists(connection: psycopg.Connection[Any], name: str) -> bool:
    """Whether the server has a database of that name."""
    row = connection.execute(
        "SELECT FROM pg_catalog.pg_database WHERE datname = %s", (name,)
    ).fetchone()
    return row is not None


def create(connection: psycopg.Connection[Any], name: str, backup: Manifest) -> None:
    """A new, empty database that encodes and sorts as the one that was backed up.

    `connection` must be in autocommit.

    Raises:
        OperationError: this server does not have its locale; nothing was made.
    """
    words: list[sql.Composable] = [sql.SQL("ENCODING {}").format(sql.Literal(backup.encoding))]
    if collation := backup.collation:
        provider, locale = _PROVIDERS[collation.provider]
        if connection.info.server_version >= _PROVIDERS_FROM:
            words.append(provider)
        words.append(sql.SQL("LC_COLLATE {}").format(sql.Literal(collation.collate)))
        words.append(sql.SQL("LC_CTYPE {}").format(sql.Literal(collation.ctype)))
        if collation.locale:
            words.append(locale.format(sql.Literal(collation.locale)))
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0 {}")
    try:
        connection.execute(statement.format(sql.Identifier(name), sql.SQL(" ").join(words)))
    except (psycopg.errors.WrongObjectType, psycopg.errors.InvalidParameterValue) as error:
        raise OperationError(
            f"the database {name} cannot be made as {backup.database} was "
            f"({str(error).splitlines()[0]}); nothing was changed. Make an empty one with a locale "
            "that this server has, and restore into it: it will sort text differently"
        ) from None


def drop(connection: psycopg.Connection[Any], name: str) -> None:
    """Drop a database with its sessions; nothing happens when it is not there."""
    connection.execute(
        sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    )


@contextmanager
def owners_assumed(connection: psycopg.Connection[Any], backup_roles: list[str]) -> Generator[None]:
    """Lets the session's user give objects to their owners, for as long as the block runs.

    A master of RDS may administer the roles that it made and is not a member of them. It is then,
    and has what they may do; for those only that nobody logs in as.
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
    except BaseException:
        # What ended the restore may have ended this session too, and is what has to be told.
        with suppress(psycopg.Error), lasting(connection) as usable:
            _give_up(usable, assumed, grant)
        raise
    _give_up(connection, assumed, grant)


def _give_up(connection: psycopg.Connection[Any], assumed: list[str], grant: sql.SQL) -> None:
    for name in assumed:
        connection.execute(grant.format(sql.Identifier(name), sql.SQL("FALSE")))


@contextmanager
def lasting(connection: psycopg.Connection[Any]) -> Generator[psycopg.Connection[Any]]:
    """`connection`, or where it was lost another one like it, as soon as the server takes it.

    Raises:
        psycopg.OperationalError: the server took none within `BACK_WITHIN_SECONDS`.
    """
    # A session that waited does not know yet that its server is gone.
    with suppress(psycopg.OperationalError):
        connection.execute("SELECT")
    if not connection.closed:
        yield connection
        return
    words, password = connection.info.dsn, connection.info.password
    deadline = time.monotonic() + BACK_WITHIN_SECONDS
    while True:
        try:
            another = psycopg.connect(words, password=password, autocommit=True)
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            break
    with another:
        yield another
