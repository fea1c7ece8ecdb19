"""What a database has beside what is in it, and pg_dump leaves out: settings, limit, comment.

`ALTER DATABASE … SET` changes what queries do. A restored database that takes the place of another
one has to have it too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql

# Stored as a list of quoted names, and set by one word a name.
# PostgreSQL's source, guc.h: GUC_LIST_QUOTE.
_LISTS = frozenset(
    (
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    )
)
_NAMES = re.compile(r'\s*("(?:[^"]|"")*"|[^,]*)\s*(?:,|$)')


def apply(
    connection: psycopg.Connection[Any], described: Mapping[str, Any], *, roles: bool
) -> list[str]:
    """Give the session's database what the backup's database had; returns what was refused.

    It is a session of the restored database itself: what all databases share has no encoding of its
    own, so that letters which ASCII lacks are stored, and read, as the session's database has them
    (PostgreSQL's manual, 23.3.2).

    Args:
        connection: of a role that may alter the database, in autocommit.
        described: the backup's `globals.json`; of an older version it says less.
        roles: also what a role has set in this database only.
    """
    name = connection.info.dbname
    database = described.get("database") or {}
    of_database = sql.SQL("ALTER DATABASE {}").format(sql.Identifier(name))
    wanted = [(of_database, one) for one in database.get("settings") or ()]
    if roles:
        for role in described.get("role_settings") or ():
            of_role = sql.SQL("ALTER ROLE {} IN DATABASE {}").format(
                sql.Identifier(role["role"]), sql.Identifier(name)
            )
            wanted += [(of_role, one) for one in role["settings"]]
    refused: list[str] = []
    for subject, setting in wanted:
        parameter, _, value = str(setting).partition("=")
        statement = sql.SQL("{} SET {} TO {}").format(
            subject,
            sql.SQL(".").join(map(sql.Identifier, parameter.split("."))),
            _value(parameter, value),
        )
        _try(connection, statement, f"setting {setting}", refused)
    limit, comment = database.get("connection_limit", -1), database.get("comment")
    if limit != -1:
        statement = sql.SQL("{} CONNECTION LIMIT {}").format(of_database, sql.Literal(limit))
        _try(connection, statement, f"connection limit {limit}", refused)
    if comment is not None:
        statement = sql.SQL("COMMENT ON DATABASE {} IS {}").format(
            sql.Identifier(name), sql.Literal(comment)
        )
        _try(connection, statement, "comment", refused)
    return refused


def _try(
    connection: psycopg.Connection[Any], statement: sql.Composed, what: str, refused: list[str]
) -> None:
    try:
        connection.execute(statement)
    except psycopg.errors.Error as error:
        if connection.closed:
            raise
        reason = error.diag.message_primary or str(error)
        refused.append(f"{what} of the database, which the server refuses here: {reason}")


def _value(parameter: str, value: str) -> sql.Composable:
    if parameter.lower() not in _LISTS:
        return sql.Literal(value)
    return sql.SQL(", ").join([sql.Literal(one) for one in _names(value)])


def _names(text: str) -> Sequence[str]:
    found = [one for one in _NAMES.findall(text) if one]
    return [
        one[1:-1].replace('""', '"') if one.startswith('"') else one.strip() for one in found
    ] or [""]
